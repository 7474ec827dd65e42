import Synchronization

/// Which entities' attributes changed: a ring of the last `capacity`, so that whoever remembers something of each entity
/// can forget what is no longer so.
///
/// Thread safety: `note` is for any trainer, `read` for any thread. An entity is noted after its list has changed: who reads
/// the ring and then the lists misses nothing for longer than until it reads the ring again.
final class AttributeChanges: @unchecked Sendable {
    static let capacity = 1 << 14
    /// The number of the change, from 1, above the entity.
    private let slots: UnsafeMutablePointer<Atomic<UInt64>>
    private let noted = Atomic<UInt64>(0)

    init() {
        slots = .allocate(capacity: AttributeChanges.capacity)
        for index in 0..<AttributeChanges.capacity { (slots + index).initialize(to: Atomic(0)) }
    }

    deinit { slots.deallocate() }

    func note(_ entity: UInt32) {
        let number = noted.add(1, ordering: .acquiringAndReleasing).newValue
        slots[Int(number) & (AttributeChanges.capacity - 1)].store(AttributeChanges.word(number, entity), ordering: .releasing)
    }

    private static func word(_ number: UInt64, _ entity: UInt32) -> UInt64 { number << 32 | UInt64(entity) }

    /// Calls `body` with each entity noted after the change `last`, and answers the last change that it told; nil where
    /// more was noted than is kept.
    func read(after last: UInt64, _ body: (UInt32) -> Void) -> UInt64? {
        let newest = noted.load(ordering: .acquiring)
        // Half of the ring: what is read must not be written over meanwhile.
        guard newest - last <= UInt64(AttributeChanges.capacity / 2) else { return nil }
        for number in last &+ 1..<newest &+ 1 {
            let word = slots[Int(number) & (AttributeChanges.capacity - 1)].load(ordering: .acquiring)
            // Counted but not yet noted, or written over by a burst.
            guard word >> 32 == number & 0xFFFF_FFFF else { return word >> 32 > number & 0xFFFF_FFFF ? nil : number - 1 }
            body(UInt32(truncatingIfNeeded: word))
        }
        return newest
    }

    /// The last change counted.
    var newest: UInt64 { noted.load(ordering: .acquiring) }
}
