import Glibc

/// Writes JSON into a buffer that is kept from document to document.
///
/// Commas are set by the writer: values and keys are given in order, containers opened and closed. It does not watch over
/// balance beyond its depth; whoever opens closes. One thread at a time uses it.
public struct JSONWriter: ~Copyable {
    private(set) var buffer: UnsafeMutablePointer<UInt8>
    private var capacity: Int
    /// Number of bytes written.
    public private(set) var count = 0
    /// Whether the next value or key needs a comma before it.
    private var needsComma = false

    public init(capacity: Int = 4096) {
        self.capacity = max(64, capacity)
        buffer = .allocate(capacity: self.capacity)
    }

    deinit { buffer.deallocate() }

    /// Starts over, keeping the memory.
    public mutating func reset() {
        count = 0
        needsComma = false
    }

    /// A place to return to (`rewind`).
    public struct Mark: Sendable {
        let count: Int, needsComma: Bool
    }
    public var mark: Mark { Mark(count: count, needsComma: needsComma) }

    /// Takes back all that was written since `mark`.
    public mutating func rewind(to mark: Mark) {
        precondition(mark.count <= count, "a mark of this document")
        count = mark.count
        needsComma = mark.needsComma
    }

    /// The bytes so far; valid until the next write.
    public var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: buffer, count: count) }

    /// The text so far, copied.
    public var string: String { String(decoding: bytes, as: UTF8.self) }

    // MARK: Containers

    public mutating func beginObject() { open(UInt8(ascii: "{")) }
    public mutating func endObject() { close(UInt8(ascii: "}")) }
    public mutating func beginArray() { open(UInt8(ascii: "[")) }
    public mutating func endArray() { close(UInt8(ascii: "]")) }

    /// A member's name; its value is to follow. `name` must need no escaping.
    public mutating func key(_ name: StaticString) {
        comma()
        put(UInt8(ascii: "\""))
        put(UnsafeRawBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount))
        put(UInt8(ascii: "\""))
        put(UInt8(ascii: ":"))
        needsComma = false
    }

    /// A member's name, escaped as needed.
    public mutating func key(_ name: UnsafeRawBufferPointer) {
        value(name)
        put(UInt8(ascii: ":"))
        needsComma = false
    }

    /// Disfavoured, so that a name written in the source is taken as it stands.
    @_disfavoredOverload
    public mutating func key(_ name: String) {
        value(name)
        put(UInt8(ascii: ":"))
        needsComma = false
    }

    // MARK: Values

    public mutating func null() { literal("null") }

    public mutating func value(_ flag: Bool) { literal(flag ? "true" : "false") }

    public mutating func value(_ integer: Int) { value(Int64(integer)) }

    public mutating func value(_ integer: Int64) {
        comma()
        if integer < 0 { put(UInt8(ascii: "-")) }
        digits(integer.magnitude)
        needsComma = true
    }

    public mutating func value(_ integer: UInt64) {
        comma()
        digits(integer)
        needsComma = true
    }

    /// The shortest text that reads back as this number; `null` for infinities and NaN, which JSON has not.
    public mutating func value(_ number: Double) {
        guard number.isFinite else { return null() }
        number.description.withUTF8Bytes { raw($0) }
    }

    /// The shortest text that reads back as this float; `null` for infinities and NaN.
    public mutating func value(_ number: Float) {
        if writeShortest(number) { return }
        guard number.isFinite else { return null() }
        number.description.withUTF8Bytes { raw($0) }
    }

    public mutating func value(_ text: String) { text.withUTF8Bytes { value($0) } }

    /// A string from UTF-8 bytes. Bytes that are not valid UTF-8 are replaced by U+FFFD, so that the output always is.
    public mutating func value(_ utf8: UnsafeRawBufferPointer) {
        guard isPlainASCII(utf8) || UTF8Check.isValid(utf8) else {
            return value(String(decoding: utf8, as: UTF8.self))
        }
        comma()
        put(UInt8(ascii: "\""))
        var start = 0
        for index in 0..<utf8.count {
            let byte = utf8[index]
            guard byte < 0x20 || byte == 0x22 || byte == 0x5C else { continue }
            put(UnsafeRawBufferPointer(rebasing: utf8[start..<index]))
            escape(byte)
            start = index + 1
        }
        put(UnsafeRawBufferPointer(rebasing: utf8[start...]))
        put(UInt8(ascii: "\""))
        needsComma = true
    }

    /// A value that is JSON already, byte for byte.
    public mutating func raw(_ json: UnsafeRawBufferPointer) {
        comma()
        put(json)
        needsComma = true
    }

    /// A parsed value, written anew (numbers in shortest form).
    public mutating func value(_ json: JSONValue) {
        switch json.kind {
        case .object:
            beginObject()
            for member in JSONMembers(of: json) {
                key(member.key)
                value(member.value)
            }
            endObject()
        case .array:
            beginArray()
            for element in JSONElements(of: json) { value(element) }
            endArray()
        case .string: value(json.uncheckedStringBytes)
        case .int64: value(json.int64!)
        case .uint64: value(json.uint64!)
        case .double: value(json.double!)
        case .bool: value(json.bool!)
        case .null: null()
        }
    }

    /// The opening of an object and its first members, up to the value that is to follow.
    mutating func begin(_ text: StaticString) {
        literal(text)
        needsComma = false
    }

    // MARK: Bytes

    private mutating func open(_ bracket: UInt8) {
        comma()
        put(bracket)
        needsComma = false
    }

    private mutating func close(_ bracket: UInt8) {
        put(bracket)
        needsComma = true
    }

    @inline(__always)
    private mutating func comma() {
        if needsComma { put(UInt8(ascii: ",")) }
    }

    /// JSON that stands in the source.
    mutating func literal(_ text: StaticString) {
        raw(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    private mutating func digits(_ magnitude: UInt64) {
        reserve(20)
        var rest = magnitude
        var length = 1
        while rest >= 10 {
            rest /= 10
            length += 1
        }
        rest = magnitude
        for place in stride(from: length - 1, through: 0, by: -1) {
            buffer[count + place] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
            rest /= 10
        }
        count += length
    }

    private mutating func escape(_ byte: UInt8) {
        put(UInt8(ascii: "\\"))
        switch byte {
        case 0x22, 0x5C: put(byte)
        case 0x0A: put(UInt8(ascii: "n"))
        case 0x0D: put(UInt8(ascii: "r"))
        case 0x09: put(UInt8(ascii: "t"))
        case 0x08: put(UInt8(ascii: "b"))
        case 0x0C: put(UInt8(ascii: "f"))
        default:
            let hexadecimal: StaticString = "0123456789abcdef"
            put(UInt8(ascii: "u"))
            put(UInt8(ascii: "0"))
            put(UInt8(ascii: "0"))
            put(hexadecimal.utf8Start[Int(byte >> 4)])
            put(hexadecimal.utf8Start[Int(byte & 15)])
        }
    }

    private mutating func put(_ byte: UInt8) {
        if count == capacity { reserve(1) }
        buffer[count] = byte
        count += 1
    }

    private mutating func put(_ bytes: UnsafeRawBufferPointer) {
        guard let source = bytes.baseAddress, !bytes.isEmpty else { return }
        reserve(bytes.count)
        memcpy(buffer + count, source, bytes.count)
        count += bytes.count
    }

    /// Opens a number, with the comma before it.
    @inline(__always)
    mutating func startNumber() { comma() }

    /// Takes at most 32 bytes that were written into the reserved room, at least 32 behind `count`.
    @inline(__always)
    mutating func finishNumber(from start: UnsafeMutablePointer<UInt8>, to end: UnsafeMutablePointer<UInt8>) {
        // Two words of sixteen bytes whatever the length: a call would cost more than the move.
        let from = UnsafeRawPointer(start), to = UnsafeMutableRawPointer(buffer + count)
        let first = from.loadUnaligned(as: SIMD16<UInt8>.self), second = from.loadUnaligned(fromByteOffset: 16, as: SIMD16<UInt8>.self)
        to.storeBytes(of: first, as: SIMD16<UInt8>.self)
        to.storeBytes(of: second, toByteOffset: 16, as: SIMD16<UInt8>.self)
        count += end - start
        needsComma = true
    }

    mutating func reserve(_ extra: Int) {
        guard count + extra > capacity else { return }
        let larger = max(2 * capacity, count + extra)
        let moved = UnsafeMutablePointer<UInt8>.allocate(capacity: larger)
        moved.update(from: buffer, count: count)
        buffer.deallocate()
        buffer = moved
        capacity = larger
    }
}
