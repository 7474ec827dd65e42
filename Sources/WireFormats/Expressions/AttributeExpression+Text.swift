public import Factorization

/// Conditions on attributes as text, such as `brand in [acme, "b c"] and price < 50 and not sold_out`:
///
///     expression = conjunction { "or" conjunction }
///     conjunction = condition { "and" condition }
///     condition = "not" condition | "(" expression ")" | "has" field | field [ relation ]
///     relation = ( "=" | "!=" ) value | ( "<" | "<=" | ">" | ">=" ) number | "in" "[" value { "," value } "]"
///     field = word | string
///     value = word | string | number
///
/// A word is a run of bytes without blanks and `()[],=<>!"'\`; as a field it is none of `and or not in has`. A word that is
/// a number of JSON is a number. A string stands between `"` or `'`, with `\` before a quote or `\` of its own.
extension AttributeExpression {
    /// Longest text in bytes, and deepest nesting of `not` and parentheses.
    public static let longestText = 8192
    public static let deepest = 24

    /// - Parameters:
    ///   - text: UTF-8.
    ///   - policy: with canonical ids, a string that is a decimal integer is that integer, as it is in attributes.
    public init(parsing text: UnsafeRawBufferPointer, policy: IdPolicy) throws(ExpressionError) {
        guard text.count <= AttributeExpression.longestText else {
            throw ExpressionError(1, "\(text.count) bytes, the limit is \(AttributeExpression.longestText)")
        }
        var parser = try ExpressionParser(text, policy: policy)
        self = try parser.whole()
    }
}

struct ExpressionParser {
    private var scanner: ExpressionScanner
    private let policy: IdPolicy
    private var token = ExpressionToken.end
    /// Where it begins.
    private var place = 0
    private var depth = 0
    private var tests: Set<AttributeTest> = []

    static let keywords: Set<String> = ["and", "or", "not", "in", "has"]

    init(_ text: UnsafeRawBufferPointer, policy: IdPolicy) throws(ExpressionError) {
        scanner = ExpressionScanner(text)
        self.policy = policy
        try advance()
    }

    private mutating func advance() throws(ExpressionError) { (token, place) = try scanner.next() }

    private func fault(_ detail: String) -> ExpressionError { ExpressionError(scanner.column(place), detail) }
    private func missing(_ what: String) -> ExpressionError { fault("\(what) is expected, found \(token)") }

    /// Takes the token if it is this one.
    private mutating func skip(_ wanted: ExpressionToken) throws(ExpressionError) -> Bool {
        guard token == wanted else { return false }
        try advance()
        return true
    }

    mutating func whole() throws(ExpressionError) -> AttributeExpression {
        let expression = try expression()
        guard token == .end else { throw missing("`and`, `or` or the end") }
        return expression
    }

    private mutating func expression() throws(ExpressionError) -> AttributeExpression {
        var left = try conjunction()
        while try skip(.word("or")) { left = .or(left, try conjunction()) }
        return left
    }

    private mutating func conjunction() throws(ExpressionError) -> AttributeExpression {
        var left = try condition()
        while try skip(.word("and")) { left = .and(left, try condition()) }
        return left
    }

    private mutating func condition() throws(ExpressionError) -> AttributeExpression {
        guard token == .word("not") || token == .sign("(") else { return try test() }
        depth += 1
        defer { depth -= 1 }
        guard depth <= AttributeExpression.deepest else { throw fault("nested deeper than \(AttributeExpression.deepest)") }
        if try skip(.word("not")) { return .not(try condition()) }
        try advance()
        let inner = try expression()
        guard try skip(.sign(")")) else { throw missing("`and`, `or` or `)`") }
        return inner
    }

    private mutating func test() throws(ExpressionError) -> AttributeExpression {
        let start = place
        let test: AttributeTest
        if try skip(.word("has")) {
            test = AttributeTest(field: try field("a field after `has`"), .exists)
        } else {
            let name = try field("a field, `has`, `not` or `(`")
            test = AttributeTest(field: name, try relation())
        }
        tests.insert(test)
        guard tests.count <= AttributeExpression.testLimit else {
            throw ExpressionError(scanner.column(start), "more than \(AttributeExpression.testLimit) different tests")
        }
        return .test(test)
    }

    private mutating func field(_ what: String) throws(ExpressionError) -> String {
        let name: String
        switch token {
        case .word(let text) where !ExpressionParser.keywords.contains(text): name = text
        case .string(let text): name = text
        default: throw missing(what)
        }
        guard (1...EventLimits.longestName).contains(name.utf8.count) else {
            throw fault("a field's name is 1 to \(EventLimits.longestName) bytes long")
        }
        try advance()
        return name
    }

    private mutating func relation() throws(ExpressionError) -> AttributeTest.Relation {
        switch token {
        case .sign("="):
            try advance()
            return .equals(try value())
        case .sign("!="):
            try advance()
            return .differs(try value())
        case .word("in"):
            try advance()
            return .isIn(try list())
        case .sign(let sign):
            guard let order = AttributeTest.Order(rawValue: sign) else { return .isTrue }
            try advance()
            return .compares(order, try number(after: sign))
        case .word(let word) where word != "and" && word != "or":
            throw missing(word == "not" ? "one of `= != < <= > >= in and or` (`not` stands before the field)" : "one of `= != < <= > >= in and or`")
        case .word, .end: return .isTrue
        case .string: throw missing("one of `= != < <= > >= in and or`")
        }
    }

    private mutating func list() throws(ExpressionError) -> [AttributeValue] {
        guard try skip(.sign("[")) else { throw missing("`[`") }
        var values = [try value()]
        while try skip(.sign(",")) { values.append(try value()) }
        guard try skip(.sign("]")) else { throw missing("`,` or `]`") }
        return values
    }

    private mutating func value() throws(ExpressionError) -> AttributeValue {
        let value: AttributeValue
        switch token {
        case .word(let text) where !ExpressionParser.keywords.contains(text): value = ExpressionNumber.read(text).map { .number($0) } ?? .text(text)
        case .string(var text):
            let integer = policy == .canonical ? text.withUTF8 { IdPolicy.canonicalInteger(UnsafeRawBufferPointer($0)) } : nil
            value = integer.map { .number(.integer($0)) } ?? .text(text)
        default: throw missing("a value")
        }
        if case .text(let text) = value, !(1...Key.longestText).contains(text.utf8.count) {
            throw fault("a value is 1 to \(Key.longestText) bytes long")
        }
        try advance()
        return value
    }

    private mutating func number(after sign: String) throws(ExpressionError) -> AttributeNumber {
        guard case .word(let text) = token, let number = ExpressionNumber.read(text) else { throw missing("a number after `\(sign)`") }
        try advance()
        return number
    }
}
