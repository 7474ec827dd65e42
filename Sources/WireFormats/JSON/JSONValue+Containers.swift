public import Glibc


/// The members of an object, in the order of the text; a key may come twice.
public struct JSONMembers: Sequence, IteratorProtocol {
    @usableFromInline var cursor: JSONValue
    @usableFromInline let end: Int

    @inlinable
    init(of object: JSONValue) {
        cursor = JSONValue(tape: object.tape, strings: object.strings, index: object.index &+ 1)
        end = object.low32 &- 1
    }

    @inlinable
    public mutating func next() -> (key: UnsafeRawBufferPointer, value: JSONValue)? {
        guard cursor.index < end else { return nil }
        let key = cursor.uncheckedStringBytes
        let value = JSONValue(tape: cursor.tape, strings: cursor.strings, index: cursor.index &+ 1)
        cursor = JSONValue(tape: cursor.tape, strings: cursor.strings, index: value.next)
        return (key, value)
    }
}

/// The elements of an array.
public struct JSONElements: Sequence, IteratorProtocol {
    @usableFromInline var cursor: JSONValue
    @usableFromInline let end: Int

    @inlinable
    init(of array: JSONValue) {
        cursor = JSONValue(tape: array.tape, strings: array.strings, index: array.index &+ 1)
        end = array.low32 &- 1
    }

    @inlinable
    public mutating func next() -> JSONValue? {
        guard cursor.index < end else { return nil }
        let value = cursor
        cursor = JSONValue(tape: cursor.tape, strings: cursor.strings, index: value.next)
        return value
    }
}

extension JSONValue {
    /// The members of an object; nil for anything else.
    @inlinable public var members: JSONMembers? { isObject ? JSONMembers(of: self) : nil }

    /// The elements of an array; nil for anything else.
    @inlinable public var elements: JSONElements? { isArray ? JSONElements(of: self) : nil }

    /// Number of members or elements; 0 for a scalar.
    public var count: Int {
        guard isObject || isArray else { return 0 }
        let stored = Int(truncatingIfNeeded: (tape[index] >> 32) & 0xFF_FFFF)
        if stored < 0xFF_FFFF { return stored }
        // The stored number is capped: count.
        return members?.reduce(0) { count, _ in count + 1 } ?? elements?.reduce(0) { count, _ in count + 1 } ?? 0
    }

    /// The value of a member, nil where the object has none (or this is no object). Of a key that comes twice the last
    /// one counts, here as in the event decoder.
    public subscript(key: StaticString) -> JSONValue? {
        guard let members else { return nil }
        var found: JSONValue?
        for member in members where member.key.equals(key) { found = member.value }
        return found
    }
}

extension UnsafeRawBufferPointer {
    /// Whether the bytes are those of `text`.
    @inlinable
    public func equals(_ text: StaticString) -> Bool {
        count == text.utf8CodeUnitCount && memcmp(baseAddress!, text.utf8Start, count) == 0
    }
}
