/// An expression as a list of different tests, and what is to be done with their answers, in postfix order.
struct ExpressionProgram {
    private(set) var tests: [AttributeTest] = []
    private var steps: [Step] = []

    private enum Step {
        case test(UInt64)
        case not, and, or
    }

    /// Answers that may wait at once: the places of a word.
    private static let deepest = 64

    /// - Precondition: the expression has at most `AttributeExpression.testLimit` different tests.
    init(_ expression: AttributeExpression) {
        let depth = add(expression)
        precondition(tests.count <= AttributeExpression.testLimit, "an expression has at most \(AttributeExpression.testLimit) tests")
        precondition(depth <= ExpressionProgram.deepest, "an expression this deep has no place in a word")
    }

    /// Answers how many answers wait at most.
    private mutating func add(_ expression: AttributeExpression) -> Int {
        switch expression {
        case .test(let test):
            let place = tests.firstIndex(of: test) ?? tests.count
            if place == tests.count { tests.append(test) }
            steps.append(.test(UInt64(place)))
            return 1
        case .not(let inner):
            let depth = add(inner)
            steps.append(.not)
            return depth
        case .and(let left, let right): return add(left, right, .and)
        case .or(let left, let right): return add(left, right, .or)
        }
    }

    private mutating func add(_ left: AttributeExpression, _ right: AttributeExpression, _ step: Step) -> Int {
        let first = add(left), second = add(right)
        steps.append(step)
        return max(first, second + 1)
    }

    /// Whether the expression is true where exactly the tests in `passed` are, bit by bit.
    func isTrue(_ passed: UInt64) -> Bool {
        var stack: UInt64 = 0
        for step in steps {
            switch step {
            case .test(let place): stack = stack << 1 | (passed >> place) & 1
            case .not: stack ^= 1
            case .and: stack = (stack >> 1) & (~1 | stack & 1)
            case .or: stack = (stack >> 1) | stack & 1
            }
        }
        return stack & 1 == 1
    }
}
