public import Factorization

extension AttributeExpression {
    /// The expression as text that reads as the same expression.
    public var text: String { text(within: 0) }

    /// - Parameter binding: how tightly the surroundings bind: 0 `or`, 1 `and`, 2 `not`.
    private func text(within binding: Int) -> String {
        let (own, text): (Int, String) =
            switch self {
            case .test(let test): (3, test.text)
            case .not(let inner): (2, "not \(inner.text(within: 2))")
            case .and(let left, let right): (1, "\(left.text(within: 1)) and \(right.text(within: 2))")
            case .or(let left, let right): (0, "\(left.text(within: 0)) or \(right.text(within: 1))")
            }
        return own < binding ? "(\(text))" : text
    }
}

extension AttributeTest {
    fileprivate var text: String {
        let name = ExpressionText.word(field, isField: true)
        return switch relation {
        case .exists: "has \(name)"
        case .isTrue: name
        case .equals(let value): "\(name) = \(value.text)"
        case .differs(let value): "\(name) != \(value.text)"
        case .isIn(let values): "\(name) in [\(values.map(\.text).joined(separator: ", "))]"
        case .compares(let order, let number): "\(name) \(order.rawValue) \(number.text)"
        }
    }
}

extension AttributeValue {
    fileprivate var text: String {
        switch self {
        case .text(let text): ExpressionText.word(text, isField: false)
        case .number(let number): number.text
        }
    }
}

extension AttributeNumber {
    fileprivate var text: String {
        switch self {
        case .integer(let value): "\(value)"
        case .number(let value): "\(value)"
        }
    }
}

private enum ExpressionText {
    /// A text as it is, or in quotes where it would read as something else.
    static func word(_ text: String, isField: Bool) -> String {
        let isPlain = !text.isEmpty && text.utf8.allSatisfy(ExpressionScanner.isOfWord) && !ExpressionParser.keywords.contains(text)
        if isPlain && (isField || ExpressionNumber.read(text) == nil) { return text }
        return "\"" + text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") + "\""
    }
}
