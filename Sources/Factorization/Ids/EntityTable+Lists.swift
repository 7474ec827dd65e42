import Synchronization

/// How large the list of attributes of each entity may be, as the sequencer has let it through. Trainers write the lists, later and
/// each at its own pace, so what stands in memory says nothing of the stream's position; this does, and goes with the ids into a
/// snapshot, so that the same records find the same room when they are applied again.
extension EntityTable {
    /// The size in three bits above the namespace: 0 for no list, else n for a block of 8·2ⁿ bytes.
    private static let listShift: UInt32 = 13
    private static let listMask: UInt32 = 7 << listShift
    /// Numbers of sizes: 16…1,024 bytes, which hold a list of `AttributeLists.longest`.
    static let listSizes: ClosedRange<UInt8> = 0...7

    private static func bytes(ofList number: UInt8) -> Int { number == 0 ? 0 : 8 << Int(number) }

    /// The number of a list's size in a row's meta.
    static func listSize(_ meta: UInt32) -> UInt8 { UInt8(truncatingIfNeeded: (meta & listMask) >> listShift) }

    /// Bytes of an ordinal's list. Sequencer only.
    func listBytes(of ordinal: UInt32) -> Int {
        EntityTable.bytes(ofList: EntityTable.listSize(row(ordinal).pointee.meta.load(ordering: .relaxed)))
    }

    /// Counts a list in place of the one that an ordinal had; 0 for none. Sequencer only.
    /// - Parameter bytes: those of the block that it lies in (`BlockPool.size`).
    func setList(_ ordinal: UInt32, bytes: Int) {
        let old = listBytes(of: ordinal)
        guard bytes != old else { return }
        let number = UInt8(bytes == 0 ? 0 : bytes.trailingZeroBitCount - 3), row = row(ordinal)
        precondition(EntityTable.bytes(ofList: number) == bytes, "no block of a list has \(bytes) bytes")
        note(ordinal)
        let meta = row.pointee.meta.load(ordering: .relaxed) & ~EntityTable.listMask
        row.pointee.meta.store(meta | UInt32(number) << EntityTable.listShift, ordering: .relaxed)
        listBytes += bytes - old
    }

    /// Counts a list as a state image names its size. Before any thread starts.
    func restoreList(_ ordinal: UInt32, size: UInt8) { setList(ordinal, bytes: EntityTable.bytes(ofList: size)) }
}
