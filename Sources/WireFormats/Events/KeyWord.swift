/// Keys of up to eight bytes as one little-endian word, so that a member's key is told by comparing integers.
enum KeyWord {
    @inline(__always) static var user: UInt64 { 0x7265_7375 }
    @inline(__always) static var item: UInt64 { 0x6D65_7469 }
    @inline(__always) static var type: UInt64 { 0x6570_7974 }
    @inline(__always) static var value: UInt64 { 0x65_756C_6176 }
    @inline(__always) static var weight: UInt64 { 0x7468_6769_6577 }
    @inline(__always) static var time: UInt64 { 0x656D_6974 }
    @inline(__always) static var context: UInt64 { 0x74_7865_746E_6F63 }
    @inline(__always) static var source: UInt64 { 0x6563_7275_6F73 }
    @inline(__always) static var seq: UInt64 { 0x716573 }
    @inline(__always) static var columns: UInt64 { 0x736E6D756C6F63 }
    @inline(__always) static var epoch: UInt64 { 0x68_636F_7065 }
    @inline(__always) static var entity: UInt64 { 0x7974_6974_6E65 }
    @inline(__always) static var id: UInt64 { 0x6469 }
    @inline(__always) static var expires: UInt64 { 0x73_6572_6970_7865 }
    @inline(__always) static var hide: UInt64 { 0x6564_6968 }
    @inline(__always) static var unhide: UInt64 { 0x6564_6968_6E75 }
    @inline(__always) static var forget: UInt64 { 0x7465_6772_6F66 }
    @inline(__always) static var undo: UInt64 { 0x6F64_6E75 }
    @inline(__always) static var beat: UInt64 { 0x7461_6562 }

    /// The word of a key from the tape, of which eight bytes may be read; 0 for longer keys.
    @inline(__always)
    static func of(_ key: UnsafeRawBufferPointer) -> UInt64 {
        let count = key.count
        guard count &- 1 < 8, count > 0 else { return 0 }
        let word = key.baseAddress.unsafelyUnwrapped.loadUnaligned(as: UInt64.self)
        return word & (UInt64.max &>> UInt64(truncatingIfNeeded: 64 &- 8 &* count))
    }
}
