/// What an upsert of an entity says beside the attributes themselves.
struct AttributeExtent: Equatable {
    var count: Int
    /// What every x is multiplied by (`FeatureCrowd`).
    var scale: Float = 1
    /// A bit for each attribute that is the number 1.0, which else looks like the category 0.
    var ones: UInt64 = 0
    /// Milliseconds since 1970 from which on the entity is in no answer; nil for never.
    var expires: Int64?

    /// Whether nothing has to be held.
    var isNothing: Bool { count == 0 && expires == nil }

    /// Bytes in memory.
    var bytes: Int { 8 + count * MemoryLayout<ResolvedFeature>.stride + (ones == 0 ? 0 : 8) + (expires == nil ? 0 : 8) }

    /// Bytes of the block that it lies in, which is what the budget counts; 0 where nothing has to be held.
    var block: Int { isNothing ? 0 : BlockPool.size(bytes) }
}

/// One entity's attributes.
///
/// | part | bytes |
/// |---|---|
/// | head | count u32, with `onesFlag` and `expiresFlag`; scale f32 |
/// | attribute | ordinal u32, x f32 as it was given |
/// | with `onesFlag` | which are the number 1.0, u64 |
/// | with `expiresFlag` | from when on the entity is expired, i64 |
///
/// In a snapshot the same, but for the scale: it stands only where it is not 1, which `scaleFlag` tells. So a list as earlier
/// versions wrote it is a count and its attributes; its x were scaled already.
struct AttributeList {
    let address: UnsafeMutableRawPointer

    static let onesFlag: UInt32 = 1 << 8, expiresFlag: UInt32 = 1 << 9, scaleFlag: UInt32 = 1 << 10
    private static let countMask: UInt32 = 0xFF
    /// Set in the address of a list without attributes, which only says when its entity expires.
    static let emptyBit: UInt = 1

    @inline(__always)
    init?(bits: UInt) {
        guard let address = UnsafeMutableRawPointer(bitPattern: bits & ~AttributeList.emptyBit) else { return nil }
        self.address = address
    }

    /// Fills a block; answers what stands for it.
    static func write(_ extent: AttributeExtent, _ block: UnsafeMutableRawPointer, _ feature: (Int) -> ResolvedFeature) -> UInt {
        let flags = (extent.ones == 0 ? 0 : onesFlag) | (extent.expires == nil ? 0 : expiresFlag)
        block.storeBytes(of: UInt32(extent.count) | flags, as: UInt32.self)
        block.storeBytes(of: extent.scale, toByteOffset: 4, as: Float.self)
        let entries = (block + 8).bindMemory(to: ResolvedFeature.self, capacity: extent.count)
        for index in 0..<extent.count { (entries + index).initialize(to: feature(index)) }
        var end = UnsafeMutableRawPointer(entries + extent.count)
        if extent.ones != 0 {
            end.storeBytes(of: extent.ones, as: UInt64.self)
            end += 8
        }
        if let expires = extent.expires { end.storeBytes(of: expires, as: Int64.self) }
        return UInt(bitPattern: block) | (extent.count == 0 ? emptyBit : 0)
    }

    private var head: UInt32 { address.load(as: UInt32.self) }

    @inline(__always)
    var count: Int { Int(head & AttributeList.countMask) }

    /// What each x is multiplied by.
    @inline(__always)
    var scale: Float { address.load(fromByteOffset: 4, as: Float.self) }

    /// The attributes as they were given.
    @inline(__always)
    var given: UnsafePointer<ResolvedFeature> { UnsafePointer((address + 8).assumingMemoryBound(to: ResolvedFeature.self)) }

    /// An attribute with the x that it counts with.
    @inline(__always)
    subscript(index: Int) -> ResolvedFeature {
        let feature = given[index]
        return ResolvedFeature(ordinal: feature.ordinal, weight: feature.weight * scale)
    }

    private var end: UnsafeMutableRawPointer { address + 8 + count * MemoryLayout<ResolvedFeature>.stride }

    /// A bit for each attribute that is the number 1.0.
    @inline(__always)
    var ones: UInt64 { head & AttributeList.onesFlag == 0 ? 0 : end.load(as: UInt64.self) }

    var expires: Int64? {
        let head = head
        guard head & AttributeList.expiresFlag != 0 else { return nil }
        return (end + (head & AttributeList.onesFlag == 0 ? 0 : 8)).load(as: Int64.self)
    }

    var extent: AttributeExtent { AttributeExtent(count: count, scale: scale, ones: ones, expires: expires) }
}

// MARK: In a snapshot

extension AttributeList {
    func save(_ buffer: CaptureBuffer) {
        let scale = scale
        buffer.put(head | (scale == 1 ? 0 : AttributeList.scaleFlag))
        if scale != 1 { buffer.put(scale.bitPattern) }
        buffer.put(address + 8, extent.bytes - 8)
    }
}

extension AttributeExtent {
    /// Reads what stands before the attributes; answers also what is to be read after them.
    init(_ reader: inout ByteReader) throws(StateError) {
        let head = try reader.get(UInt32.self)
        let flags = AttributeList.onesFlag | AttributeList.expiresFlag | AttributeList.scaleFlag, count = head & ~flags
        guard count <= UInt32(AttributeLists.longest) else { throw .damaged(section: reader.section) }
        self.init(count: Int(count))
        if head & AttributeList.scaleFlag != 0 { scale = try reader.getFloat() }
        guard scale > 0, scale <= 1 else { throw .damaged(section: reader.section) }
        if head & AttributeList.onesFlag != 0 { ones = .max }
        if head & AttributeList.expiresFlag != 0 { expires = 0 }
    }

    /// Reads what stands after the attributes.
    mutating func finish(_ reader: inout ByteReader) throws(StateError) {
        if ones != 0 { ones = try reader.get(UInt64.self) }
        if expires != nil { expires = try reader.get(Int64.self) }
    }
}
