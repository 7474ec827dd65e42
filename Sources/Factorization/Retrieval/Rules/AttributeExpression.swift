/// A condition on an item's attributes.
///
/// A test is true where **any** of the values that the item has of the field satisfies it, so it is false where the item has none
/// (and `not` of it is true).
public indirect enum AttributeExpression: Sendable, Hashable {
    case test(AttributeTest)
    case not(AttributeExpression)
    case and(AttributeExpression, AttributeExpression)
    case or(AttributeExpression, AttributeExpression)

    /// Different tests in one expression at most: the places of a word, but for one.
    public static let testLimit = 63
}

/// One test of the values that an item has of a field.
public struct AttributeTest: Sendable, Hashable {
    public var field: String
    public var relation: Relation

    public enum Relation: Sendable, Hashable {
        /// There is a value.
        case exists
        /// A value other than `false`, 0 and 0.0.
        case isTrue
        case equals(AttributeValue)
        /// A value other than this one, of the same type or not.
        case differs(AttributeValue)
        case isIn([AttributeValue])
        /// A number or integer that compares so. Texts do not compare.
        case compares(Order, AttributeNumber)
    }

    public enum Order: String, Sendable, Hashable, CaseIterable {
        case less = "<"
        case atMost = "<="
        case greater = ">"
        case atLeast = ">="
    }

    public init(field: String, _ relation: Relation) {
        self.field = field
        self.relation = relation
    }
}

/// A number in an expression. Integers compare exactly with integer values; numbers with numbers as 32-bit floats, which is how
/// they are held.
public enum AttributeNumber: Sendable, Hashable {
    case integer(Int64)
    case number(Double)

    var float: Float {
        switch self {
        case .integer(let value): Float(value)
        case .number(let value): Float(value)
        }
    }
}

/// A value in an expression. Booleans are the texts `true` and `false`, as they are in attributes.
public enum AttributeValue: Sendable, Hashable {
    case text(String)
    case number(AttributeNumber)
}

// MARK: What is true of a value

extension AttributeTest {
    /// Whether a category satisfies the test: a text, or an integer.
    func holds(for key: Key) -> Bool {
        let integer = key.isText ? nil : Int64(bitPattern: key.payload)
        switch relation {
        case .exists: return true
        case .isTrue: return key.isText ? !key.text.elementsEqual("false".utf8) : integer != 0
        case .equals(let value): return value.equals(key)
        case .differs(let value): return !value.equals(key)
        case .isIn(let values): return values.contains { $0.equals(key) }
        case .compares(let order, let number):
            guard let integer else { return false }
            switch number {
            case .integer(let value): return order.holds(integer, value)
            case .number(let value): return order.holds(Double(integer), value)
            }
        }
    }

    /// Whether a number satisfies the test.
    func holds(for x: Float) -> Bool {
        switch relation {
        case .exists: true
        case .isTrue: x != 0
        case .equals(let value): value.equals(x)
        case .differs(let value): !value.equals(x)
        case .isIn(let values): values.contains { $0.equals(x) }
        case .compares(let order, let number): order.holds(x, number.float)
        }
    }
}

extension AttributeValue {
    fileprivate func equals(_ key: Key) -> Bool {
        switch self {
        case .text(let text): key.isText && key.text.elementsEqual(text.utf8)
        case .number: !key.isText && integer == Int64(bitPattern: key.payload)
        }
    }

    fileprivate func equals(_ x: Float) -> Bool {
        if case .number(let number) = self { number.float == x } else { false }
    }

    /// The integer category that equals the value.
    var integer: Int64? {
        switch self {
        case .text: nil
        case .number(.integer(let value)): value
        case .number(.number(let value)): Int64(exactly: value)
        }
    }
}

extension AttributeTest.Order {
    fileprivate func holds<Number: Comparable>(_ a: Number, _ b: Number) -> Bool {
        switch self {
        case .less: a < b
        case .atMost: a <= b
        case .greater: a > b
        case .atLeast: a >= b
        }
    }
}
