/// Which events of a file take part: a comparison such as `value>=5`, or a type such as `type=buy`.
public struct EventCondition: Sendable, Equatable {
    enum Comparison: String, CaseIterable, Sendable {
        // Longer ones first: ">" would also match ">=".
        case atLeast = ">=", atMost = "<=", equal = "=", above = ">", below = "<"
    }

    private enum Subject: Sendable, Equatable {
        case value(Comparison, Float)
        case type(String)
    }
    private let subject: Subject

    /// Reads `value>=5` (also `>`, `<=`, `<`, `=`) or `type=NAME`; nil for anything else.
    public init?(_ text: String) {
        guard let found = EventCondition.split(text) else { return nil }
        switch (found.name, found.comparison) {
        case ("value", let comparison):
            guard let number = Float(found.operand), number.isFinite else { return nil }
            subject = .value(comparison, number)
        case ("type", .equal): subject = .type(found.operand)
        default: return nil
        }
    }

    private static func split(_ text: String) -> (name: String, comparison: Comparison, operand: String)? {
        guard let start = text.firstIndex(where: { "<>=".contains($0) }) else { return nil }
        for comparison in Comparison.allCases where text[start...].hasPrefix(comparison.rawValue) {
            let operand = text[start...].dropFirst(comparison.rawValue.count)
            return operand.isEmpty ? nil : (String(text[..<start]), comparison, String(operand))
        }
        return nil
    }

    /// Whether an event meets it; one without a value meets no comparison.
    public func holds(_ event: DatasetEvent) -> Bool {
        switch subject {
        case .type(let name): return event.type == name
        case .value(let comparison, let number):
            guard let value = event.value else { return false }
            switch comparison {
            case .atLeast: return value >= number
            case .atMost: return value <= number
            case .equal: return value == number
            case .above: return value > number
            case .below: return value < number
            }
        }
    }
}
