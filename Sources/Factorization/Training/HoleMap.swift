/// Which ordinals of the catalogue have no item, as of a trainer's position: a bit each, as far as there are any.
///
/// The sequencer is ahead of a trainer, so its table cannot be asked: each trainer keeps its own map and changes it where it meets
/// the eviction or the reuse in its queue. So every draw is a function of its position.
///
/// Thread safety: one trainer.
final class HoleMap {
    /// The map as the hot path holds it, without reference counting. Valid until the next change.
    struct View {
        var bits: UnsafePointer<UInt64>?
        /// Ordinals from here on are no holes.
        var reach: UInt32 = 0

        @inline(__always)
        func contains(_ ordinal: UInt32) -> Bool {
            ordinal < reach && bits.unsafelyUnwrapped[Int(ordinal >> 6)] >> UInt64(ordinal & 63) & 1 != 0
        }
    }

    private var bits: UnsafeMutableBufferPointer<UInt64>

    init() { bits = UnsafeMutableBufferPointer(start: nil, count: 0) }
    deinit { bits.deallocate() }

    var view: View { View(bits: UnsafePointer(bits.baseAddress), reach: UInt32(min(bits.count * 64, Int(UInt32.max)))) }

    func set(_ ordinal: UInt32, _ isHole: Bool) {
        let word = Int(ordinal >> 6), bit: UInt64 = 1 << UInt64(ordinal & 63)
        if word >= bits.count {
            guard isHole else { return }
            let grown = UnsafeMutableBufferPointer<UInt64>.allocate(capacity: max(word + 1, bits.count * 2))
            grown.initialize(repeating: 0)
            if let old = bits.baseAddress { grown.baseAddress!.update(from: old, count: bits.count) }
            bits.deallocate()
            bits = grown
        }
        if isHole { bits[word] |= bit } else { bits[word] &= ~bit }
    }
}
