import CKernels
import Synchronization

/// Makes counts fade with a half-life in events, at the price of one multiplication an event.
///
/// Instead of shrinking every count at every position, each new interaction counts for more: at position t for
/// 2^((t − b)/h), h the half-life and b the base. What a count is worth now is that divided by the present increment. When
/// the increment reaches 2⁶⁴, every count and the increment are multiplied by 2⁻⁶⁴ (a rebase): a power of two, so that no
/// digit is lost and the order of the counts stays. Counts take part when they are counted next, and the others little by little
/// (`SharedState.goOnRebasing`), long before the next rebase: no event waits for a walk over millions of ids.
///
/// A function of positions alone. Thread safety: one sequencer; `shown` is for anyone.
final class PopularityDecay: @unchecked Sendable {
    /// The increment at which a rebase is due, and its inverse.
    static let limit = 0x1p64
    static let rebaseFactor: Float = 0x1p-64
    /// A shorter half-life would make the walks over all counts frequent.
    static let shortest = 1000.0

    /// 2^(1/h); 1 without a half-life.
    private let growth: Double
    /// What one interaction counts at `position`. Sequencer only.
    private(set) var increment = 1.0
    /// The sign of counts that have taken part in the last rebase: they take turns. Sequencer only.
    private(set) var sign: UInt32 = 0
    private var position: UInt64 = 0
    /// How a count is read: 1/increment, a Float's bits, and above them the number of rebases.
    private let reading = Atomic<UInt64>(UInt64(Float(1).bitPattern))

    /// - Parameter halfLife: in events; 0 for counts that never fade, else `shortest` at least.
    init(halfLife: Double = 0) {
        precondition(halfLife == 0 || halfLife >= PopularityDecay.shortest, "a half-life has at least 1000 events")
        growth = halfLife > 0 ? fk_power(2, 1 / halfLife) : 1
    }

    /// Moves on to a position; true when a rebase is due, which must follow before anything is counted.
    @inline(__always)
    func advance(to position: UInt64) -> Bool {
        guard growth > 1 else { return false }
        while self.position < position {
            increment *= growth
            self.position += 1
        }
        return increment >= PopularityDecay.limit
    }

    /// Begins a rebase: readers learn of it before the first count changes.
    func rebase() {
        increment /= PopularityDecay.limit
        sign ^= 1 << 31
        let rebases = UInt32(truncatingIfNeeded: reading.load(ordering: .relaxed) >> 32) &+ 1
        reading.store(UInt64(rebases) << 32 | UInt64(Float(1 / increment).bitPattern), ordering: .releasing)
    }

    /// Shows readers the present increment.
    func publish() {
        guard growth > 1 else { return }
        let rebases = reading.load(ordering: .relaxed) >> 32
        reading.store(rebases << 32 | UInt64(Float(1 / increment).bitPattern), ordering: .releasing)
    }

    /// Goes on after a restored state. Before any thread starts.
    func restore(increment: Double, position: UInt64) {
        self.increment = increment
        self.position = position
        publish()
    }

    /// What turns a count as it is stored into one of now.
    struct Reading {
        let bits: UInt64
        @inline(__always) var scale: Float { Float(bitPattern: UInt32(truncatingIfNeeded: bits)) }
        /// The sign that a count carries which has taken part in every rebase.
        @inline(__always) var sign: UInt32 { UInt32(truncatingIfNeeded: bits >> 32) << 31 }
    }

    @inline(__always)
    var shown: Reading { Reading(bits: reading.load(ordering: .acquiring)) }
}

/// A count that fades: a Float that is never negative, whose sign says whether the last rebase has reached it, so that a
/// reader amid a rebase takes no count for one of the other scale.
struct FadingCount: ~Copyable {
    private let word: Atomic<UInt32>

    /// Zero, as of the present rebase.
    init(_ decay: PopularityDecay) { word = Atomic(decay.shown.sign) }

    /// As it is stored, sign and all. Sequencer only.
    @inline(__always)
    var bits: UInt32 { word.load(ordering: .relaxed) }

    /// A stored count in units of the base, where `sign` is that of the last rebase. What was counted once never becomes zero.
    @inline(__always)
    static func settled(_ bits: UInt32, sign: UInt32) -> Float {
        let stored = Float(bitPattern: bits).magnitude
        guard (bits ^ sign) & 0x8000_0000 != 0, stored > 0 else { return stored }
        return max(stored * PopularityDecay.rebaseFactor, .leastNonzeroMagnitude)
    }

    /// What it is worth now.
    @inline(__always)
    func value(_ decay: PopularityDecay) -> Float {
        var reading = decay.shown
        while true {
            let bits = word.load(ordering: .acquiring)
            let stored = Float(bitPattern: bits).magnitude
            if bits & 0x8000_0000 == reading.sign { return stored * reading.scale }
            // Either a rebase began since `reading`, or it is under way and has not come here yet.
            let again = decay.shown
            if again.bits >> 32 == reading.bits >> 32 { return stored * PopularityDecay.rebaseFactor * reading.scale }
            reading = again
        }
    }

    /// Adds an amount in units of the base, having taken part in the last rebase; a count stops at zero. Sequencer only.
    @inline(__always)
    func add(_ amount: Float, sign: UInt32) {
        let sum = max(FadingCount.settled(bits, sign: sign) + amount, 0)
        word.store(sum.bitPattern | sign, ordering: .releasing)
    }

    /// Takes part in the last rebase, unless it has. Sequencer only.
    @inline(__always)
    func rebase(sign: UInt32) {
        let bits = bits
        if (bits ^ sign) & 0x8000_0000 != 0 { word.store(FadingCount.settled(bits, sign: sign).bitPattern | sign, ordering: .releasing) }
    }
}
