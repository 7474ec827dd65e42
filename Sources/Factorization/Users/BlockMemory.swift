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
    /// Regions mapped, up to here, by `makeReady`.
    private let ready = Atomic<Int>(0)
    /// Set once, before `isAttached`.
    private var whenBegun: @Sendable () -> Void = {}
    private let isAttached = Atomic<Bool>(false)
    /// Regions that stand ready at most, and of how many begun ones each is to be one: so memory stays near what lists take.
    static let mostReady = 4, begunPerReady = 16

    init() {
        directory = mapMemory(BlockMemory.directoryBytes).bindMemory(to: Atomic<UInt>.self, capacity: BlockMemory.regionCount)
    }

    deinit {
        for number in 0..<max(begun, ready.load(ordering: .relaxed)) {
            fk_unmap(UnsafeMutableRawPointer(bitPattern: directory[number].load(ordering: .relaxed)), BlockMemory.regionBytes)
        }
        fk_unmap(directory, BlockMemory.directoryBytes)
    }

    /// Regions of which chunks were given out.
    var begun: Int { (given.load(ordering: .relaxed) + BlockMemory.chunksPerRegion - 1) / BlockMemory.chunksPerRegion }

    /// Has `action` called whenever a region is begun, by the thread that needs it, for another one to `makeReady` the next.
    func attach(_ action: @escaping @Sendable () -> Void) {
        precondition(!isAttached.load(ordering: .relaxed), "who makes memory ready is said once")
        whenBegun = action
        isAttached.store(true, ordering: .releasing)
    }

    /// Maps the regions that come next and has the system clear them. One thread at a time.
    func makeReady() {
        let begun = begun, end = min(begun + min(BlockMemory.mostReady, begun / BlockMemory.begunPerReady), BlockMemory.regionCount)
        for number in max(begun, ready.load(ordering: .relaxed))..<max(begun, end) {
            fk_populate(region(number), BlockMemory.regionBytes)
            ready.store(number + 1, ordering: .relaxed)
        }
    }

    /// A chunk of zeroed memory, which stays the caller's for as long as this lives.
    func chunk() -> UnsafeMutableRawPointer {
        let (number, place) = given.add(1, ordering: .relaxed).oldValue.quotientAndRemainder(dividingBy: BlockMemory.chunksPerRegion)
        precondition(number < BlockMemory.regionCount, "lists of more than a tebibyte")
        if place == 0, isAttached.load(ordering: .acquiring) { whenBegun() }
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
