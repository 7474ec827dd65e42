/// A key and its value in one line.
extension JSONWriter {
    public mutating func member(_ name: StaticString, _ flag: Bool) {
        key(name)
        value(flag)
    }
    public mutating func member(_ name: StaticString, _ integer: Int) {
        key(name)
        value(integer)
    }
    public mutating func member(_ name: StaticString, _ integer: UInt64) {
        key(name)
        value(integer)
    }
    public mutating func member(_ name: StaticString, _ number: Double) {
        key(name)
        value(number)
    }
    public mutating func member(_ name: StaticString, _ text: String) {
        key(name)
        value(text)
    }
}
