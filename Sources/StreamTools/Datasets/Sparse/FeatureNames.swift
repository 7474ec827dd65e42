/// Which number a feature has in files that know numbers only (libFM, LIBSVM, LIBFFM), and which field.
///
/// As a file: a line for each feature, `number TAB field TAB value`, percent signs, tabs and line ends in values escaped (`%25`).
public struct FeatureNames: Sendable, Equatable {
    public struct Feature: Hashable, Sendable {
        /// `user`, `item`, or a field of the context.
        public var field: String
        public var value: EventID
        public init(field: String, value: EventID) {
            self.field = field
            self.value = value
        }
    }

    public static let user = "user", item = "item"

    /// In order of their numbers.
    private(set) var features: [(number: Int, feature: Feature)] = []
    private var numbers: [Feature: Int] = [:]
    private var byNumber: [Int: Feature] = [:]
    /// `user`, `item`, then the context's fields.
    public private(set) var fields: [String] = [FeatureNames.user, FeatureNames.item]

    public init() {}

    public static func == (a: FeatureNames, b: FeatureNames) -> Bool { a.numbers == b.numbers && a.fields == b.fields }

    /// Numbers all features of some events from `first` on: users, then items, then each field of the context, each in order of
    /// appearance, so that numbers rise along a line.
    public init(_ events: [DatasetEvent], first: Int = 0) {
        var groups: [String: [EventID]] = [:], known: Set<Feature> = []
        func add(_ field: String, _ value: EventID) {
            guard known.insert(Feature(field: field, value: value)).inserted else { return }
            if groups[field] == nil, !fields.contains(field) { fields.append(field) }
            groups[field, default: []].append(value)
        }
        for event in events {
            add(FeatureNames.user, event.user)
            add(FeatureNames.item, event.item)
            for pair in event.context { add(pair.field, pair.value) }
        }
        var next = first
        for field in fields {
            for value in groups[field] ?? [] {
                set(next, Feature(field: field, value: value))
                next += 1
            }
        }
    }

    private mutating func set(_ number: Int, _ feature: Feature) {
        features.append((number, feature))
        numbers[feature] = number
        byNumber[number] = feature
    }

    public func number(_ field: String, _ value: EventID) -> Int? { numbers[Feature(field: field, value: value)] }
    public func feature(_ number: Int) -> Feature? { byNumber[number] }
    /// The number of a field.
    public func field(_ name: String) -> Int? { fields.firstIndex(of: name) }

    // MARK: As a file

    public var text: String {
        features.map { "\($0.number)\t\($0.feature.field)\t\(FeatureNames.escaped($0.feature.value.description))\n" }.joined()
    }

    public init(path: String) throws(StreamToolsError) {
        let lines = try LineReader(path: path)
        while let line = try lines.nextLine() {
            let parts = String(decoding: line, as: UTF8.self).split(separator: "\t", omittingEmptySubsequences: false)
            guard parts.count == 3, let number = Int(parts[0]), let value = EventID(FeatureNames.unescaped(parts[2])) else {
                throw .malformedLine(path: path, line: lines.lineNumber, reason: "number, field and value are expected, separated by tabs")
            }
            if !fields.contains(String(parts[1])) { fields.append(String(parts[1])) }
            set(number, Feature(field: String(parts[1]), value: value))
        }
    }

    /// Text without blanks, colons, bars and line ends, which formats of one line an event give a meaning.
    static func escaped(_ text: String, also extra: Set<Character> = []) -> String {
        var result = ""
        for character in text {
            if character == "%" || character == "\t" || character.isNewline || extra.contains(character) {
                for byte in String(character).utf8 { result += "%" + hex(byte) }
            } else {
                result.append(character)
            }
        }
        return result
    }

    private static func hex(_ byte: UInt8) -> String {
        let digits = String(byte, radix: 16, uppercase: true)
        return digits.count == 1 ? "0" + digits : digits
    }

    static func unescaped(_ text: some StringProtocol) -> String {
        guard text.contains("%") else { return String(text) }
        var bytes: [UInt8] = [], rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%"), rest.count >= 2, let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16) {
                bytes.append(value)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
