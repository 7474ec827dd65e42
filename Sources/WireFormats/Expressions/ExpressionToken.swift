/// A piece of an expression's text.
enum ExpressionToken: Equatable {
    /// A run of bytes that are neither blank nor of the grammar's own: a field, a value or a keyword.
    case word(String)
    /// What stood between quotes, the backslashes taken away.
    case string(String)
    /// `(`, `)`, `[`, `]`, `,`, `=`, `!=`, `<`, `<=`, `>`, `>=`.
    case sign(String)
    case end
}

extension ExpressionToken: CustomStringConvertible {
    var description: String {
        switch self {
        case .word(let text), .sign(let text): "`\(text)`"
        case .string(let text): "the text \"\(text)\""
        case .end: "the end"
        }
    }
}

/// Cuts an expression's text into tokens.
struct ExpressionScanner {
    private let text: UnsafeRawBufferPointer
    private var offset = 0

    init(_ text: UnsafeRawBufferPointer) { self.text = text }

    /// Bytes that no word has.
    private static let signs = Set("()[],=<>!\"'\\".utf8)

    static func isOfWord(_ byte: UInt8) -> Bool { byte > 0x20 && byte != 0x7F && !signs.contains(byte) }

    /// The column of a byte, from 1, in characters.
    func column(_ place: Int) -> Int { 1 + text[..<min(place, text.count)].count { $0 & 0xC0 != 0x80 } }

    /// The next token, and the byte at which it begins.
    mutating func next() throws(ExpressionError) -> (ExpressionToken, Int) {
        while offset < text.count, text[offset] == 0x20 || (0x09...0x0D).contains(text[offset]) { offset += 1 }
        let start = offset
        guard start < text.count else { return (.end, start) }
        let byte = text[start]
        if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "'") { return (.string(try string(quote: byte)), start) }
        if ExpressionScanner.isOfWord(byte) {
            while offset < text.count, ExpressionScanner.isOfWord(text[offset]) { offset += 1 }
            return (.word(String(decoding: text[start..<offset], as: UTF8.self)), start)
        }
        let isFollowed = start + 1 < text.count && text[start + 1] == UInt8(ascii: "=")
        switch byte {
        case UInt8(ascii: "!"), UInt8(ascii: "<"), UInt8(ascii: ">"):
            if byte == UInt8(ascii: "!") && !isFollowed { throw ExpressionError(column(start), "`!` stands only in `!=`; write `not`") }
            offset += isFollowed ? 2 : 1
        case UInt8(ascii: "("), UInt8(ascii: ")"), UInt8(ascii: "["), UInt8(ascii: "]"), UInt8(ascii: ","), UInt8(ascii: "="): offset += 1
        default: throw ExpressionError(column(start), byte == UInt8(ascii: "\\") ? "`\\` stands only between quotes" : "a control character")
        }
        return (.sign(String(decoding: text[start..<offset], as: UTF8.self)), start)
    }

    private mutating func string(quote: UInt8) throws(ExpressionError) -> String {
        let start = offset
        var bytes: [UInt8] = []
        offset += 1
        while offset < text.count, text[offset] != quote {
            if text[offset] == UInt8(ascii: "\\") {
                offset += 1
                guard offset < text.count else { break }
                guard [UInt8(ascii: "\\"), UInt8(ascii: "\""), UInt8(ascii: "'")].contains(text[offset]) else {
                    throw ExpressionError(column(offset), "after `\\` only a quote or another `\\` can stand")
                }
            }
            bytes.append(text[offset])
            offset += 1
        }
        guard offset < text.count else { throw ExpressionError(column(start), "the text that begins here has no closing quote") }
        offset += 1
        return String(decoding: bytes, as: UTF8.self)
    }
}

/// What is wrong with an expression's text, and where.
public struct ExpressionError: Error, Equatable, CustomStringConvertible {
    /// In characters, from 1.
    public let column: Int
    public let detail: String

    init(_ column: Int, _ detail: String) {
        self.column = column
        self.detail = detail
    }

    public var description: String { "column \(column): \(detail)" }
}
