import CKernels
import Synchronization

/// The chunks that the pools of one owner carve their blocks from: pieces of regions as large as a huge page, so that a block
/// is found without a walk through the page tables. One pool alone would seldom fill a region.
///
/// Thread safety: everything here may be called from any thread.
final class BlockMemory: @unchecked Sendable {
    static let chunkBytes = 1 << 16
    private static let regionBytes = 2 << 20
    private static let chunksPerRegion = regionBytes / chunkBytes
    /// Regions at most: a tebibyte of lists.
    private static let regionCount = 1 << 19
    private static let directoryBytes = regionCount * MemoryLayout<Atomic<UInt>>.stride

    /// One pointer a region, zero until the first of its chunks is asked for.
    private let directory: UnsafeMutablePointer<Atomic<UInt>>
    /// Chunks given out.
    private let given = Atomic<Int>(0)

    init() {
        directory = mapMemory(BlockMemory.directoryBytes).bindMemory(to: Atomic<UInt>.self, capacity: BlockMemory.regionCount)
    }

    deinit {
        let chunks = given.load(ordering: .relaxed)
        for number in 0..<(chunks + BlockMemory.chunksPerRegion - 1) / BlockMemory.chunksPerRegion {
            fk_unmap(UnsafeMutableRawPointer(bitPattern: directory[number].load(ordering: .relaxed)), BlockMemory.regionBytes)
        }
        fk_unmap(directory, BlockMemory.directoryBytes)
    }

    /// A chunk of zeroed memory, which stays the caller's for as long as this lives.
    func chunk() -> UnsafeMutableRawPointer {
        let (number, place) = given.add(1, ordering: .relaxed).oldValue.quotientAndRemainder(dividingBy: BlockMemory.chunksPerRegion)
        precondition(number < BlockMemory.regionCount, "lists of more than a tebibyte")
        return region(number) + place * BlockMemory.chunkBytes
    }

    /// The first region has pages of the usual size until there is a second, so that a small table stays small.
    private func region(_ number: Int) -> UnsafeMutableRawPointer {
        if let region = UnsafeMutableRawPointer(bitPattern: directory[number].load(ordering: .acquiring)) { return region }
        let region = mapMemory(BlockMemory.regionBytes)
        let (isOurs, other) = directory[number].compareExchange(
            expected: 0, desired: UInt(bitPattern: region), ordering: .acquiringAndReleasing)
        guard isOurs else {
            fk_unmap(region, BlockMemory.regionBytes)
            return UnsafeMutableRawPointer(bitPattern: other).unsafelyUnwrapped
        }
        if number > 0 { fk_prefer_huge(region, BlockMemory.regionBytes) }
        if number == 1 { fk_gather(self.region(0), BlockMemory.regionBytes, 0) }
        return region
    }
}
