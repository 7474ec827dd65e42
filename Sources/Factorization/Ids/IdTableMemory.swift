import CKernels

/// Memory for the tables of an `IdIndex`, which all grow at about the same pace: those of one size lie side by side in a region of
/// as many slots as there are tables, in huge pages where a region has the size of one. A region goes back when its last table
/// has left it.
///
/// Thread safety: the sequencer's.
struct IdTableMemory: ~Copyable {
    private struct Region {
        let memory: UnsafeMutableRawPointer
        let slotBytes: Int
        /// A bit for each slot that is free.
        var free = UInt64.max
        var bytes: Int { slotBytes * IdIndex.tableCount }
    }

    private static let hugeBytes = 2 << 20
    private var regions: [Region] = []

    deinit { for region in regions { fk_unmap(region.memory, region.bytes) } }

    /// Memory for a table of so many bytes, a multiple of 64, at a line's beginning; what it holds is anything.
    mutating func take(_ bytes: Int) -> UnsafeMutableRawPointer {
        guard IdTableMemory.isShared(bytes) else { return .allocate(byteCount: bytes, alignment: 64) }
        var number = regions.firstIndex { $0.slotBytes == bytes && $0.free != 0 }
        if number == nil {
            regions.append(IdTableMemory.region(bytes))
            number = regions.count - 1
        }
        let place = number.unsafelyUnwrapped, slot = regions[place].free.trailingZeroBitCount
        regions[place].free &= ~(1 << UInt64(slot))
        return regions[place].memory + slot * bytes
    }

    /// Gives back what `take` gave for so many bytes.
    mutating func give(_ memory: UnsafeMutableRawPointer, _ bytes: Int) {
        guard IdTableMemory.isShared(bytes) else { return memory.deallocate() }
        let number = regions.firstIndex { $0.slotBytes == bytes && memory >= $0.memory && memory < $0.memory + $0.bytes }!
        regions[number].free |= 1 << UInt64((memory - regions[number].memory) / bytes)
        guard regions[number].free == .max else { return }
        fk_unmap(regions[number].memory, regions[number].bytes)
        regions.remove(at: number)
    }

    /// Smaller ones, 64 of which are less than a huge page, are for malloc.
    private static func isShared(_ bytes: Int) -> Bool { bytes * IdIndex.tableCount >= hugeBytes }

    private static func region(_ slotBytes: Int) -> Region {
        let bytes = slotBytes * IdIndex.tableCount, memory = mapMemory(bytes)
        fk_prefer_huge(memory, bytes)
        return Region(memory: memory, slotBytes: slotBytes)
    }
}
