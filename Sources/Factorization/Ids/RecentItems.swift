import CKernels
import Synchronization

/// What items came of late: a window of the newest interactions, from which any short half-life can be counted, and the items
/// that were admitted last. Both are rings of fixed size, whatever the catalogue: what an item's long-run count cannot say.
///
/// The window holds the item of each interaction; where it spans more of them than it has places, of one in every `step`,
/// drawn by a hash of their number, which then stands for all of them. So it is a function of the stream alone, and a replay
/// has the same.
///
/// Items that were evicted or forgotten leave with the round that takes them out of histories, before another item gets
/// their ordinal. Until then answers pass them over, as they pass over every hole.
///
/// Thread safety: the sequencer writes; entries are atomic words, for anyone. A reader may meet, at the old end of the
/// window, entries that have just become the newest.
final class RecentItems: @unchecked Sendable {
    /// Places of the window at most, 4 bytes each.
    static let mostPlaces = 1 << 18
    /// Items admitted last that are held, 16 bytes each.
    static let newest = 1 << 14

    /// Interactions that an entry stands for, and places; powers of two.
    let step: UInt64
    let places: Int
    private let ring: UnsafeMutablePointer<Atomic<UInt32>>
    /// Interactions counted, and the number of the next that is kept. Sequencer only.
    private var counted: UInt64 = 0
    private var next: UInt64
    /// Entries written.
    private let kept = Atomic<Int>(0)
    /// Position and ordinal of admissions, each `newest` words, and how many were written.
    private let positions: UnsafeMutablePointer<Atomic<UInt64>>
    private let ordinals: UnsafeMutablePointer<Atomic<UInt32>>
    private let admitted = Atomic<Int>(0)

    /// - Parameter span: interactions that the window reaches back, at least; it is rounded up.
    init(span: Int) {
        precondition(span > 0, "a window has at least one place")
        var places = 1, step: UInt64 = 1
        while places < span && places < RecentItems.mostPlaces { places *= 2 }
        while UInt64(places) * step < UInt64(span) { step *= 2 }
        (self.places, self.step) = (places, step)
        ring = RecentItems.words(places)
        positions = RecentItems.words(RecentItems.newest)
        ordinals = RecentItems.words(RecentItems.newest)
        next = RecentItems.chosen(0, step)
    }

    deinit {
        fk_unmap(ring, places * 4)
        fk_unmap(positions, RecentItems.newest * 8)
        fk_unmap(ordinals, RecentItems.newest * 4)
    }

    /// Zeroed words that cost nothing until they are written.
    private static func words<Word: ~Copyable>(_ count: Int) -> UnsafeMutablePointer<Word> {
        let bytes = count * MemoryLayout<Word>.stride
        let memory = mapMemory(bytes)
        return memory.bindMemory(to: Word.self, capacity: count)
    }

    /// Bytes of both rings.
    var bytes: Int { places * 4 + RecentItems.newest * 12 }
    /// Interactions that the window reaches back.
    var span: Int { places * Int(step) }

    /// The number of the interaction that stands for those of a step.
    private static func chosen(_ number: UInt64, _ step: UInt64) -> UInt64 { number * step + 1 + mix64(number) & (step - 1) }

    // MARK: The sequencer

    /// Counts an interaction with an item.
    @inline(__always)
    func count(_ item: UInt32) {
        counted &+= 1
        if counted == next { keep(item) }
    }

    @inline(never)
    private func keep(_ item: UInt32) {
        let number = kept.load(ordering: .relaxed)
        (ring + number & (places - 1)).pointee.store(item, ordering: .relaxed)
        kept.store(number + 1, ordering: .releasing)
        next = RecentItems.chosen((counted - 1) / step + 1, step)
    }

    /// An undo: of as many as the window holds of interactions, the item's newest entry goes.
    func undo(_ item: UInt32, at position: UInt64) {
        guard mix64(position) & (step - 1) == 0 else { return }
        let end = kept.load(ordering: .relaxed)
        for number in stride(from: end - 1, through: max(end - places, 0), by: -1) where entry(number) == item {
            return (ring + number & (places - 1)).pointee.store(Placement.none, ordering: .relaxed)
        }
    }

    /// Notes an item that got its ordinal at a position.
    func admit(_ item: UInt32, at position: UInt64) {
        let number = admitted.load(ordering: .relaxed), place = number & (RecentItems.newest - 1)
        (positions + place).pointee.store(position, ordering: .relaxed)
        (ordinals + place).pointee.store(item, ordering: .relaxed)
        admitted.store(number + 1, ordering: .releasing)
    }

    /// Takes items out whose ordinals are to be given to others. Both rings are walked for it, while the stream waits, and at its
    /// budget a stream asks for it often: so a bit says whether an item goes.
    func drop(_ rows: [FreedRow]) {
        guard let last = rows.lazy.filter({ $0.side == .items }).map(\.ordinal).max() else { return }
        var gone = [UInt64](repeating: 0, count: Int(last >> 6) + 1)
        for row in rows where row.side == .items { gone[Int(row.ordinal >> 6)] |= 1 << UInt64(row.ordinal & 63) }
        gone.withUnsafeBufferPointer { gone in
            for (words, written, places) in [(ring, kept.load(ordering: .relaxed), places), (ordinals, admitted.load(ordering: .relaxed), RecentItems.newest)] {
                for place in 0..<min(written, places) {
                    let item = (words + place).pointee.load(ordering: .relaxed)
                    guard item <= last, gone[Int(item >> 6)] >> UInt64(item & 63) & 1 != 0 else { continue }
                    (words + place).pointee.store(Placement.none, ordering: .relaxed)
                }
            }
        }
    }

    // MARK: Readers

    @inline(__always)
    private func entry(_ number: Int) -> UInt32 { (ring + number & (places - 1)).pointee.load(ordering: .relaxed) }

    /// Calls `body` with the item of each entry and what its interactions count, newest first: `step` times 2^(−age/h).
    /// - Parameter halfLife: h, in interactions; 0 for counts that do not fade.
    /// - Returns: interactions that the window stands for now.
    @discardableResult
    func forEach(halfLife: Double, _ body: (UInt32, Double) -> Void) -> Int {
        let end = kept.load(ordering: .acquiring), count = min(end, places)
        let keep = halfLife > 0 ? fk_power(2, -Double(step) / halfLife) : 1
        var weight = Double(step)
        for number in stride(from: end - 1, through: end - count, by: -1) {
            let item = entry(number)
            if item != Placement.none { body(item, weight) }
            weight *= keep
        }
        return count * Int(step)
    }

    /// Calls `body` with the items admitted last and the positions at which they came (0: not known), newest first.
    func forEachNewest(_ body: (UInt32, UInt64) -> Void) {
        let end = admitted.load(ordering: .acquiring)
        for number in stride(from: end - 1, through: max(end - RecentItems.newest, 0), by: -1) {
            let place = number & (RecentItems.newest - 1), item = (ordinals + place).pointee.load(ordering: .relaxed)
            if item != Placement.none { body(item, (positions + place).pointee.load(ordering: .relaxed)) }
        }
    }

    // MARK: State

    /// Both rings as a snapshot holds them, oldest first. While the sequencer stands.
    struct Saved: Sendable {
        var step: UInt64
        var counted: UInt64
        var items: [UInt32]
        var newest: [(item: UInt32, position: UInt64)]
    }

    var saved: Saved {
        let end = kept.load(ordering: .relaxed), last = admitted.load(ordering: .relaxed)
        return Saved(
            step: step, counted: counted, items: (max(end - places, 0)..<end).map { entry($0) },
            newest: (max(last - RecentItems.newest, 0)..<last).map {
                let place = $0 & (RecentItems.newest - 1)
                return ((ordinals + place).pointee.load(ordering: .relaxed), (positions + place).pointee.load(ordering: .relaxed))
            })
    }

    /// Takes a saved state up in place of all that is held. A window of another step begins anew. Before any thread starts.
    func restore(_ saved: Saved) {
        admitted.store(0, ordering: .relaxed)
        for entry in saved.newest { admit(entry.item, at: entry.position) }
        guard saved.step == step, saved.items.count <= places else { return }
        for (place, item) in saved.items.enumerated() { (ring + place).pointee.store(item, ordering: .relaxed) }
        kept.store(saved.items.count, ordering: .releasing)
        counted = saved.counted
        let block = counted / step
        next = RecentItems.chosen(block, step)
        if next <= counted { next = RecentItems.chosen(block + 1, step) }
    }

    /// Of a state that does not say when its items came: only the order of admission is known.
    func forgetPositions() {
        for place in 0..<RecentItems.newest { (positions + place).pointee.store(0, ordering: .relaxed) }
    }
}
