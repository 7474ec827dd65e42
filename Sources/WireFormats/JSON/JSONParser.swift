import CSimdJSON

/// Why a text is not a JSON document that this parser takes.
public enum JSONError: Error, Equatable, CustomStringConvertible {
    /// Not JSON, or a number beyond 64 bits; the text says which, in simdjson's words.
    case malformed(String)
    /// More bytes than the parser's limit.
    case tooLarge(bytes: Int, limit: Int)
    /// Nested deeper than the parser's limit.
    case tooDeep(limit: Int)

    public var description: String {
        switch self {
        case .malformed(let reason): "malformed JSON: \(reason)"
        case .tooLarge(let bytes, let limit): "\(bytes) bytes of JSON, the limit is \(limit)"
        case .tooDeep(let limit): "JSON nested deeper than \(limit) levels"
        }
    }
}

/// A simdjson parser with a buffer of its own. One thread at a time uses it; its memory is kept from text to text and
/// bounded by the limit (about 15 bytes for each byte of the longest text so far).
public final class JSONParser {
    /// The longest text, in bytes.
    public let maxBytes: Int
    /// The deepest nesting.
    public let maxDepth: Int

    private let handle: OpaquePointer
    private var buffer: UnsafeMutableRawPointer
    private var bufferCapacity: Int
    private var parserCapacity: Int
    private(set) var loadedCount = 0

    static let padding = Int(CSIMDJSON_PADDING)

    public init(maxBytes: Int = 16 << 20, maxDepth: Int = 64) {
        precondition(maxBytes >= 64 && maxDepth >= 1, "a parser takes at least 64 bytes and one level")
        self.maxBytes = maxBytes
        self.maxDepth = maxDepth
        bufferCapacity = min(maxBytes, 16 << 10)
        guard let handle = csimdjson_create(maxBytes, maxDepth) else { fatalError("out of memory for a JSON parser") }
        self.handle = handle
        guard csimdjson_reserve(handle, bufferCapacity) == 0 else { fatalError("out of memory for a JSON parser") }
        parserCapacity = bufferCapacity
        buffer = .allocate(byteCount: bufferCapacity + JSONParser.padding, alignment: 64)
        buffer.initializeMemory(as: UInt8.self, repeating: 0x20, count: bufferCapacity + JSONParser.padding)
    }

    deinit {
        csimdjson_destroy(handle)
        buffer.deallocate()
    }

    /// Parses a text after copying it once into the padded buffer.
    /// - Returns: The document's root, valid until the next call.
    public func parse(_ text: UnsafeRawBufferPointer) throws(JSONError) -> JSONValue {
        try load(text)
        return try parseLoaded(0..<text.count)
    }

    /// Parses a string's bytes; for tools and tests.
    public func parse(_ text: String) throws(JSONError) -> JSONValue {
        let bytes = Array(text.utf8)
        let result = bytes.withUnsafeBytes { raw in Result { () throws(JSONError) in try parse(raw) } }
        return try result.get()
    }

    /// Copies a text into the padded buffer; parts of it may then be parsed one by one.
    func load(_ text: UnsafeRawBufferPointer) throws(JSONError) {
        guard text.count <= maxBytes else { throw .tooLarge(bytes: text.count, limit: maxBytes) }
        if text.count > bufferCapacity {
            bufferCapacity = min(maxBytes, max(text.count, 2 * bufferCapacity))
            buffer.deallocate()
            buffer = .allocate(byteCount: bufferCapacity + JSONParser.padding, alignment: 64)
        }
        if let source = text.baseAddress { buffer.copyMemory(from: source, byteCount: text.count) }
        (buffer + text.count).initializeMemory(as: UInt8.self, repeating: 0x20, count: JSONParser.padding)
        loadedCount = text.count
    }

    /// The bytes that `load` copied.
    var loaded: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: buffer, count: loadedCount) }

    /// Parses a part of the loaded text as one document.
    func parseLoaded(_ range: Range<Int>) throws(JSONError) -> JSONValue {
        precondition(range.upperBound <= loadedCount, "a part of what was loaded")
        if range.count > parserCapacity {
            let capacity = min(maxBytes, max(range.count, 2 * parserCapacity))
            parserCapacity = 0
            guard csimdjson_reserve(handle, capacity) == 0 else {
                throw .malformed("no memory to parse \(range.count) bytes")
            }
            parserCapacity = capacity
        }
        let start = (buffer + range.lowerBound).assumingMemoryBound(to: UInt8.self)
        let code = csimdjson_parse(handle, start, range.count)
        guard code == 0 else {
            if code == csimdjson_error_depth { throw .tooDeep(limit: maxDepth) }
            if code == csimdjson_error_empty { throw .malformed("no JSON in it") }
            throw .malformed(String(cString: csimdjson_error_text(code)))
        }
        return JSONValue(tape: csimdjson_tape(handle), strings: csimdjson_strings(handle), index: 1)
    }
}
