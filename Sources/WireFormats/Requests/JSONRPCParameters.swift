public import Factorization

/// Named parameters of a request, taken with their types. Each fault is -32602 and names the parameter. `null` is the same
/// as absent; unknown parameters are ignored.
public struct JSONRPCParameters {
    private let object: JSONValue?

    /// - Throws: -32602 where the parameters are given by position.
    public init(of request: JSONRPCRequest) throws(JSONRPCError) {
        if let params = request.params, !params.isObject { throw .invalidParams("params: an object is expected, not an array") }
        object = request.params
    }

    /// The parameter as it stands; nil where absent or `null`.
    public func value(_ name: StaticString) -> JSONValue? {
        guard let value = object?[name], !value.isNull else { return nil }
        return value
    }

    public func required(_ name: StaticString) throws(JSONRPCError) -> JSONValue {
        guard let value = value(name) else { throw .invalidParams("params.\(name): missing") }
        return value
    }

    public func bool(_ name: StaticString, default standard: Bool) throws(JSONRPCError) -> Bool {
        guard let value = value(name) else { return standard }
        guard let flag = value.bool else { throw .invalidParams("params.\(name): a boolean is expected") }
        return flag
    }

    /// An integer within a range.
    public func integer(
        _ name: StaticString, default standard: Int? = nil, in range: ClosedRange<Int>
    ) throws(JSONRPCError) -> Int {
        guard let value = value(name) else {
            if let standard { return standard }
            throw .invalidParams("params.\(name): missing")
        }
        guard let integer = value.int64, range.contains(Int(integer)) else {
            throw .invalidParams("params.\(name): an integer from \(range.lowerBound) to \(range.upperBound) is expected")
        }
        return Int(integer)
    }

    /// An integer from 0 on, such as a position; nil where absent.
    public func unsigned(_ name: StaticString) throws(JSONRPCError) -> UInt64? {
        guard let value = value(name) else { return nil }
        guard let integer = value.uint64 else { throw .invalidParams("params.\(name): an integer from 0 on is expected") }
        return integer
    }

    /// A finite number within a range.
    public func number(
        _ name: StaticString, default standard: Double? = nil, in range: ClosedRange<Double>
    ) throws(JSONRPCError) -> Double {
        guard let value = value(name) else {
            if let standard { return standard }
            throw .invalidParams("params.\(name): missing")
        }
        guard let number = value.double, range.contains(number) else {
            throw .invalidParams("params.\(name): a number from \(range.lowerBound) to \(range.upperBound) is expected")
        }
        return number
    }

    /// A text; nil where absent.
    public func text(_ name: StaticString) throws(JSONRPCError) -> UnsafeRawBufferPointer? {
        guard let value = value(name) else { return nil }
        guard let bytes = value.stringBytes else { throw .invalidParams("params.\(name): a string is expected") }
        return bytes
    }

    /// The members of an object; nil where absent.
    public func members(_ name: StaticString) throws(JSONRPCError) -> JSONMembers? {
        guard let value = value(name) else { return nil }
        guard let members = value.members else { throw .invalidParams("params.\(name): an object is expected") }
        return members
    }

    /// An array of at most `limit` elements; nil where absent.
    public func array(_ name: StaticString, limit: Int) throws(JSONRPCError) -> JSONValue? {
        guard let value = value(name) else { return nil }
        guard value.isArray else { throw .invalidParams("params.\(name): an array is expected") }
        guard value.count <= limit else {
            throw .invalidParams("params.\(name): \(value.count) elements, the limit is \(limit)")
        }
        return value
    }

    /// An id; nil where absent.
    public func key(_ name: StaticString, policy: IdPolicy, hashing: KeyHash) throws(JSONRPCError) -> Key? {
        guard let value = value(name) else { return nil }
        guard let key = JSONRPCParameters.key(value, policy: policy, hashing: hashing) else {
            throw .invalidParams("params.\(name): \(JSONRPCParameters.idRule)")
        }
        return key
    }

    /// Calls `body` with each id of an array, in order, and answers how many there were; an absent array has none.
    @discardableResult
    public func forEachKey(
        _ name: StaticString, limit: Int, policy: IdPolicy, hashing: KeyHash, _ body: (Key) -> Void
    ) throws(JSONRPCError) -> Int {
        guard let elements = try array(name, limit: limit)?.elements else { return 0 }
        var index = 0
        for element in elements {
            guard let key = JSONRPCParameters.key(element, policy: policy, hashing: hashing) else {
                throw .invalidParams("params.\(name)[\(index)]: \(JSONRPCParameters.idRule)")
            }
            body(key)
            index += 1
        }
        return index
    }

    /// Appends the ids of an array, in order; an absent array has none. Their texts borrow from the parser's document.
    public func append(_ name: StaticString, limit: Int, policy: IdPolicy, hashing: KeyHash, to keys: inout [Key]) throws(JSONRPCError) {
        guard let elements = try array(name, limit: limit)?.elements else { return }
        var index = 0
        for element in elements {
            guard let key = JSONRPCParameters.key(element, policy: policy, hashing: hashing) else {
                throw .invalidParams("params.\(name)[\(index)]: \(JSONRPCParameters.idRule)")
            }
            keys.append(key)
            index &+= 1
        }
    }

    /// Appends the ids of an array of pairs, `[[first, second], …]`; an absent array has none.
    public func append(
        pairs name: StaticString, limit: Int, policy: IdPolicy, hashing: KeyHash, to first: inout [Key], _ second: inout [Key]
    ) throws(JSONRPCError) {
        guard let elements = try array(name, limit: limit)?.elements else { return }
        var index = 0
        for pair in elements {
            guard pair.count == 2, var parts = pair.elements, let one = parts.next(), let two = parts.next() else {
                throw .invalidParams("params.\(name)[\(index)]: a pair of ids is expected")
            }
            guard let one = JSONRPCParameters.key(one, policy: policy, hashing: hashing),
                let two = JSONRPCParameters.key(two, policy: policy, hashing: hashing)
            else { throw .invalidParams("params.\(name)[\(index)]: \(JSONRPCParameters.idRule)") }
            first.append(one)
            second.append(two)
            index &+= 1
        }
    }

    private static let idRule = "an id is a string of 1 to 1024 bytes or an integer (past 64 bits signed: as a string)"

    /// The key of an id; its text borrows from the parser's document. Nil for what is no id.
    public static func key(_ value: JSONValue, policy: IdPolicy, hashing: KeyHash) -> Key? {
        if let integer = value.int64 { return Key(integer: integer, hashing: hashing) }
        guard let text = value.stringBytes, text.count >= 1, text.count <= Key.longestText else { return nil }
        return policy.key(text: text, hashing: hashing)
    }
}
