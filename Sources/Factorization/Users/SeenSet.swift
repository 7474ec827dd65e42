import CKernels
import Synchronization

/// What a user has seen, in a block of atomic 32-bit words: how many slots, how many of them are taken, then the slots, 0 or an item + 1,
/// under linear probing. Any number of slots, so that header and slots fill a block. One writer, many readers.
struct SeenSet {
    let words: UnsafeMutablePointer<Atomic<UInt32>>
    /// Words before the first slot.
    static let header = 2

    /// The block behind a released address; nil for none. The lowest bit of `bits` is the owner's own.
    @inline(__always)
    init?(bits: UInt) {
        guard let words = UnsafeMutablePointer<Atomic<UInt32>>(bitPattern: bits & ~1) else { return nil }
        self.words = words
    }

    /// A new block in zeroed memory of `bytes(capacity)`.
    init(_ memory: UnsafeMutableRawPointer, capacity: Int) {
        words = memory.assumingMemoryBound(to: Atomic<UInt32>.self)
        words[0].store(UInt32(capacity), ordering: .relaxed)
        words[1].store(0, ordering: .relaxed)
    }

    static func bytes(_ capacity: Int) -> Int { 4 * (capacity + header) }
    /// The capacity of a block twice as large.
    static func doubled(_ capacity: Int) -> Int { 2 * (capacity + header) - header }

    var address: UnsafeMutableRawPointer { UnsafeMutableRawPointer(words) }
    var bits: UInt { UInt(bitPattern: words) }
    /// For the one who writes.
    var plain: UnsafePointer<UInt32> { UnsafePointer<UInt32>(OpaquePointer(words)) }
    /// Slots.
    var capacity: Int { Int(words[0].load(ordering: .relaxed)) }
    var count: Int { Int(words[1].load(ordering: .acquiring)) }

    @inline(__always)
    private func firstSlot(_ value: UInt32, _ slots: Int) -> Int { Int(fk_set_home(value, UInt32(truncatingIfNeeded: slots))) }

    @inline(__always)
    func contains(_ value: UInt32) -> Bool {
        let slots = capacity
        var slot = firstSlot(value, slots)
        while true {
            let held = words[2 + slot].load(ordering: .relaxed)
            if held == 0 { return false }
            if held == value &+ 1 { return true }
            slot = slot + 1 == slots ? 0 : slot + 1
        }
    }

    func insert(_ value: UInt32) {
        let slots = capacity
        var slot = firstSlot(value, slots)
        while words[2 + slot].load(ordering: .relaxed) != 0 { slot = slot + 1 == slots ? 0 : slot + 1 }
        words[2 + slot].store(value &+ 1, ordering: .relaxed)
        words[1].store(words[1].load(ordering: .relaxed) + 1, ordering: .releasing)
    }

    /// A set is at most three quarters full.
    var hasRoom: Bool { count < SeenSet.room(slots: capacity) }
    static func room(slots: Int) -> Int { slots / 4 * 3 + slots % 4 }

    func forEach(_ body: (UInt32) -> Void) {
        for slot in 0..<capacity {
            let held = words[2 + slot].load(ordering: .relaxed)
            if held != 0 { body(held - 1) }
        }
    }
}
