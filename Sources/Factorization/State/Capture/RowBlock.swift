/// Rows that are copied together: 1,024 of one shard, a quarter of a slab, so that even the longest rows make a short pause.
///
/// Blocks are numbered so that those of 65,536 ordinals in a row (a band) are 64 neighbours, one of each shard; ids and lists
/// are cut at the same places. The sums of `Witness` are kept by block, so that a block's sums and its rows are copied at one
/// moment.
enum RowBlock {
    /// Rows of a block.
    static let rows = 1 << 10
    /// Ordinals of a band.
    static let band = rows << Int(Placement.shardBits)
    /// Blocks that 32-bit ordinals can have.
    static let most = 1 << 22

    /// The block of an ordinal.
    @inline(__always)
    static func of(_ ordinal: UInt32) -> Int { Int(ordinal >> 16) << Int(Placement.shardBits) | Placement.shard(ordinal) }

    /// Blocks of `count` ordinals: those of whole bands, the last of which may be empty.
    static func count(of count: Int) -> Int { ((count + band - 1) / band) << Int(Placement.shardBits) }

    static func shard(_ block: Int) -> Int { block & (Placement.shardCount - 1) }
    /// Its first row's number within the shard.
    static func firstLocal(_ block: Int) -> Int { (block >> Int(Placement.shardBits)) << 10 }
    /// Its first ordinal.
    static func firstOrdinal(_ block: Int) -> UInt32 { Placement.ordinal(shard: shard(block), local: firstLocal(block)) }

    /// Rows of a block where `count` ordinals are given out in all.
    static func rows(in block: Int, of count: Int) -> Int {
        min(max(Placement.rows(in: shard(block), of: count) - firstLocal(block), 0), rows)
    }
}
