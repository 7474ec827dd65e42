/// An external id as it arrives: a 64-bit integer, or text.
///
/// A key borrows its text from whoever made it (a batch's arena, a table's arena, a string under `withUTF8`): it must not
/// outlive that memory. The 64-bit hash is computed once, where the key is made, so that the sequencer only compares.
public struct Key {
    /// The integer's bit pattern; for text, the address of its first byte.
    public let payload: UInt64
    /// `KeyHash` of the key within its namespace.
    public let hash: UInt64
    /// Bytes of text; 0 for an integer.
    public let length: UInt16
    /// 0 for user and item ids; for a feature, 1 + the ordinal of its field, so that `hour=3` and `weekday=3` differ.
    public let namespace: UInt16
    /// Text or integer. The empty text is not a valid key, decoders refuse it.
    public let isText: Bool

    /// The longest text that can be an id, in UTF-8 bytes.
    public static let longestText = 1024

    @inlinable
    public init(integer: Int64, namespace: UInt16 = 0, hashing: KeyHash) {
        payload = UInt64(bitPattern: integer)
        hash = hashing.integer(integer, namespace: namespace)
        length = 0
        self.namespace = namespace
        isText = false
    }

    /// - Precondition: 1…`longestText` bytes.
    @inlinable
    public init(text: UnsafeRawBufferPointer, namespace: UInt16 = 0, hashing: KeyHash) {
        precondition(text.count >= 1 && text.count <= Key.longestText, "an id is 1 to 1024 bytes long")
        payload = UInt64(UInt(bitPattern: text.baseAddress!))
        hash = hashing.text(text, namespace: namespace)
        length = UInt16(truncatingIfNeeded: text.count)
        self.namespace = namespace
        isText = true
    }

    /// The key's text; only for `isText`.
    @inlinable
    public var text: UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: UnsafeRawPointer(bitPattern: UInt(payload)), count: Int(length))
    }

    /// The same id under another namespace (a context value under its field).
    @inlinable
    public func placed(in namespace: UInt16, hashing: KeyHash) -> Key {
        isText
            ? Key(text: text, namespace: namespace, hashing: hashing)
            : Key(integer: Int64(bitPattern: payload), namespace: namespace, hashing: hashing)
    }
}

/// How ids that look alike relate.
public enum IdPolicy: String, Sendable, Codable, CaseIterable {
    /// `1` and `"1"` are one id: decimal text that fits 64 bits and is written canonically becomes an integer.
    case canonical
    /// Text stays text: `1` and `"1"` are two ids.
    case exact

    /// The integer that `text` stands for under the canonical policy, or nil when it has to stay text.
    ///
    /// Canonical means that writing the integer gives the same bytes back: no sign but a leading minus, no leading
    /// zeros, no `-0`, within Int64.
    @inlinable
    public static func canonicalInteger(_ text: UnsafeRawBufferPointer) -> Int64? {
        var count = text.count
        guard count >= 1, count <= 20 else { return nil }
        var index = 0
        let negative = text[0] == UInt8(ascii: "-")
        if negative { index = 1; count -= 1 }
        guard count >= 1 else { return nil }
        let first = text[index]
        if first == UInt8(ascii: "0") { return count == 1 && !negative ? 0 : nil }
        var magnitude: UInt64 = 0
        while index < text.count {
            let digit = text[index] &- UInt8(ascii: "0")
            guard digit <= 9 else { return nil }
            let (times, overflow) = magnitude.multipliedReportingOverflow(by: 10)
            let (sum, carry) = times.addingReportingOverflow(UInt64(digit))
            if overflow || carry { return nil }
            magnitude = sum
            index += 1
        }
        if negative { return magnitude <= 1 << 63 ? Int64(truncatingIfNeeded: 0 &- magnitude) : nil }
        return Int64(exactly: magnitude)
    }

    /// The key for a text id under this policy.
    @inlinable
    public func key(text: UnsafeRawBufferPointer, namespace: UInt16 = 0, hashing: KeyHash) -> Key {
        if self == .canonical, let integer = IdPolicy.canonicalInteger(text) {
            return Key(integer: integer, namespace: namespace, hashing: hashing)
        }
        return Key(text: text, namespace: namespace, hashing: hashing)
    }
}

/// Keyed 64-bit hashing of ids. The seed keeps an outsider from choosing ids that collide; it never influences what is
/// learned (rows are placed by order of admission, not by hash).
///
/// Integers go through two rounds of multiply-and-fold, text through eight-byte blocks of the same.
public struct KeyHash: Sendable, Equatable {
    @usableFromInline let first: UInt64
    @usableFromInline let second: UInt64

    public init(seed: UInt64) {
        first = mix64(seed) | 1
        second = mix64(seed &+ 0x9E37_79B9_7F4A_7C15) | 1
    }

    @inlinable @inline(__always)
    static func fold(_ a: UInt64, _ b: UInt64) -> UInt64 {
        let product = a.multipliedFullWidth(by: b)
        return product.high ^ product.low
    }

    @inlinable
    public func integer(_ value: Int64, namespace: UInt16) -> UInt64 {
        let mixed = KeyHash.fold(UInt64(bitPattern: value) ^ first, 0xA076_1D64_78BD_642F ^ UInt64(namespace) << 48)
        return KeyHash.fold(mixed ^ second, 0xE703_7ED1_A0B4_28DB)
    }

    @inlinable
    public func text(_ text: UnsafeRawBufferPointer, namespace: UInt16) -> UInt64 {
        var state = first ^ UInt64(namespace) << 48 ^ UInt64(text.count)
        var offset = 0
        while offset &+ 8 <= text.count {
            let block = text.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
            state = KeyHash.fold(state ^ block, 0xA076_1D64_78BD_642F)
            offset &+= 8
        }
        var tail: UInt64 = 0
        while offset < text.count {
            tail = tail << 8 | UInt64(text[offset])
            offset &+= 1
        }
        state = KeyHash.fold(state ^ tail ^ second, 0xE703_7ED1_A0B4_28DB)
        return KeyHash.fold(state ^ first, 0x8EBC_6AF0_9C88_C6E3)
    }
}

/// The finaliser of SplitMix64 (Steele, Lea and Flood 2014): a bijection of 64-bit words without visible structure.
/// All of factord's counter-based randomness is `mix64` of (seed, purpose, position).
@inlinable @inline(__always)
public func mix64(_ value: UInt64) -> UInt64 {
    var z = value &+ 0x9E37_79B9_7F4A_7C15
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
}
