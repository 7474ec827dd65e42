/// A span of time, written with units: `250ms`, `5m`, `1h30m`, `1.5s`; a bare `0` needs none.
public struct TimeSpan: Sendable, Hashable, Comparable, Codable, CustomStringConvertible {
    public var nanoseconds: Int64

    public init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }
    public init(seconds: Int64) { nanoseconds = seconds * 1_000_000_000 }

    private static let units: [(name: String, nanoseconds: Int64)] = [
        ("d", 86_400_000_000_000), ("h", 3_600_000_000_000), ("m", 60_000_000_000), ("s", 1_000_000_000),
        ("ms", 1_000_000), ("us", 1_000), ("ns", 1),
    ]

    /// The span that `text` stands for: one or more numbers, each with its unit; nil when it is anything else, or longer
    /// than about 292 years.
    public init?(_ text: String) {
        if text == "0" { self.init(nanoseconds: 0); return }
        var rest = Substring(text)
        var total = 0.0
        while !rest.isEmpty {
            let number = rest.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
            rest = rest.dropFirst(number.count)
            let unit = rest.prefix { $0.isASCII && $0.isLetter }
            rest = rest.dropFirst(unit.count)
            guard let count = Double(number), let scale = TimeSpan.units.first(where: { $0.name == unit }) else { return nil }
            total += count * Double(scale.nanoseconds)
        }
        guard !text.isEmpty, total < Double(Int64.max) else { return nil }
        self.init(nanoseconds: Int64(total.rounded()))
    }

    /// The span in whole units, the largest first: `1h30m`.
    public var description: String {
        if nanoseconds == 0 { return "0s" }
        var rest = nanoseconds
        var text = ""
        for unit in TimeSpan.units where rest >= unit.nanoseconds {
            text += "\(rest / unit.nanoseconds)\(unit.name)"
            rest %= unit.nanoseconds
        }
        return text
    }

    public var duration: Duration { .nanoseconds(nanoseconds) }
    public var milliseconds: Int64 { nanoseconds / 1_000_000 }

    public static func < (left: TimeSpan, right: TimeSpan) -> Bool { left.nanoseconds < right.nanoseconds }
}
