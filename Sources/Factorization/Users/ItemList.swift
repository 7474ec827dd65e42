import CKernels
import Synchronization

/// A user's history as its word in the user's row says it: where the items lie, for how many there is room, and how many came.
///
/// All in one word (`fk_list_*` in C), so that a reader has a place and a number that belong together, and that to take an item up
/// nothing has to be read but the row. Items lie in 32-bit words, one after the other, as many as there is room for, a power
/// of two: item number n of all that came at n modulo that. A full list loses its oldest item for each new one.
struct ItemList {
    let bits: UInt

    /// The list of a released word; nil for none.
    @inline(__always)
    init?(bits: UInt) {
        guard bits != 0 else { return nil }
        self.bits = bits
    }

    /// An empty list in a block of `bytes(capacity)`, on a multiple of 32 bytes.
    init(_ memory: UnsafeMutableRawPointer, capacity: Int) {
        bits = UInt(fk_list_begin(memory, UInt32(capacity)))
    }

    /// The least room.
    static let leastCapacity = 8
    static func bytes(_ capacity: Int) -> Int { 4 * capacity }

    var address: UnsafeMutableRawPointer { UnsafeMutableRawPointer(mutating: fk_list_items(bits).unsafelyUnwrapped) }
    private var words: UnsafeMutablePointer<Atomic<UInt32>> { address.assumingMemoryBound(to: Atomic<UInt32>.self) }
    @inline(__always)
    var capacity: Int { Int(fk_list_room(bits)) }
    /// Items that came in all, modulo some multiple of the capacity once that is reached.
    @inline(__always)
    var written: Int { Int(fk_list_written(bits)) }
    /// Items held.
    var count: Int { min(written, capacity) }

    /// Where the oldest item lies.
    var oldest: Int { (written - count) & (capacity - 1) }

    /// Of the items held, oldest first.
    subscript(index: Int) -> UInt32 { words[(oldest + index) & (capacity - 1)].load(ordering: .relaxed) }
    /// Whether none of the items before has the same value.
    func isFirst(_ index: Int) -> Bool {
        let value = self[index]
        return !(0..<index).contains { self[$0] == value }
    }

    /// Writes an item; answers the list with it, whose word is to be released. Whoever sees the item in an older one's place sees
    /// the word from before it, too.
    @inline(__always)
    func appending(_ item: UInt32) -> ItemList {
        words[written & (capacity - 1)].store(item, ordering: .releasing)
        return ItemList(bits: UInt(fk_list_next(bits))).unsafelyUnwrapped
    }

    /// Copies the newest items, newest first. What came since the word was read may stand in the place of the oldest.
    func copyNewest(_ count: Int, into items: UnsafeMutableBufferPointer<UInt32>) {
        for index in 0..<count { items[index] = words[(written - 1 - index) & (capacity - 1)].load(ordering: .relaxed) }
    }

    /// Whether this list's newest items, so many, lie still where they lay, when `now` is the list's word later.
    func keeps(_ count: Int, until now: UInt) -> Bool {
        if now == bits { return true }
        guard let now = ItemList(bits: now), now.address == address, now.written >= written else { return false }
        // The item after the last that is counted may be there already.
        return now.written - written + count < capacity
    }
}
