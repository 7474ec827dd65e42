import CKernels

/// The rows of one event as floats, of a model whose tables hold bfloat16s: laid out here before its passes, worked on by the
/// same kernels as rows of floats, and put back at the end of the event, rounded by chance.
///
/// The mean of a rounded factor over all chances is the factor itself, so that steps smaller than a place of 8 bits count in
/// the long run (Gupta et al. 2015, "Deep Learning with Limited Numerical Precision"). The chances are a function of the
/// seed, the event's position, the row's ordinal, and the factor's place in it.
///
/// A row that an event meets twice (a negative drawn again, an attribute of two of its items) lies here once, so that what
/// the first step did the second sees. With several trainers a row that two events work on at once ends as one of them left
/// it; with floats in place the same is true of each float.
///
/// Scratch of one learner or one scorer, of one thread.
final class RowBench {
    /// A row that lies here.
    private struct Place {
        var halves: UnsafeMutablePointer<fk_bfloat>
        var count: Int32
        var ordinal: UInt32
        /// Of the row's table.
        var seed: UInt64
    }

    private let kernels: Kernels
    private let floats: UnsafeMutablePointer<Float>
    private let places: UnsafeMutablePointer<Place>
    /// Floats from one row's place to the next one's.
    private let stride: Int
    private let capacity: Int
    /// Place numbers by the row's address: the round (upper half) in which the entry was made, and the number.
    private let index: UnsafeMutablePointer<UInt64>
    private let mask: Int
    /// Rows that lie here, and the round. Behind a pointer, so that an access needs no check of exclusivity.
    private let now: UnsafeMutablePointer<(count: Int, round: UInt64)>

    /// Nil where the model's tables hold floats.
    init?(_ model: Model) {
        guard model.settings.storage == .bfloat16 else { return nil }
        kernels = model.kernels
        // Lines of 64 bytes.
        stride = (max(model.items.stride, model.users.stride) + 15) & ~15
        // The items of an event with their attributes, and the rows of its user's side.
        capacity = (model.settings.negatives + 2) * ItemSide.rowLimit + UserSide.rowLimit
        // Left untouched, so that long lists cost memory only where there are any.
        let memory = UnsafeMutableRawPointer.allocate(byteCount: capacity * stride * 4, alignment: 64)
        floats = memory.bindMemory(to: Float.self, capacity: capacity * stride)
        places = .allocate(capacity: capacity)
        var size = 256
        while size < 2 * capacity { size *= 2 }
        index = .allocate(capacity: size)
        index.initialize(repeating: 0, count: size)
        mask = size - 1
        now = .allocate(capacity: 1)
        now.initialize(to: (0, 1))
    }

    deinit {
        floats.deallocate()
        places.deallocate()
        index.deallocate()
        now.deallocate()
    }

    /// A row as floats, its tail included; the same memory until `clear` or `putBack`.
    @inline(__always)
    func row(_ ordinal: UInt32, of table: FactorTable) -> UnsafeMutablePointer<Float> {
        row(ordinal, table.rows, count: table.stride)
    }

    @inline(__always)
    func row(_ ordinal: UInt32, _ rows: FactorRows, count floatCount: Int) -> UnsafeMutablePointer<Float> {
        let halves = rows.halves(ordinal), (count, round) = now.pointee
        var entry = Int(truncatingIfNeeded: ((UInt(bitPattern: halves) >> 4) &* 0x9E37_79B9_7F4A_7C15) >> 32) & mask
        while index[entry] >> 32 == round {
            let place = Int(index[entry] & 0xFFFF_FFFF)
            if places[place].halves == halves { return floats + place &* stride }
            entry = (entry &+ 1) & mask
        }
        precondition(count < capacity, "an event has no more rows than its lists may hold")
        let own = floats + count &* stride
        index[entry] = round << 32 | UInt64(count)
        (places + count).initialize(to: Place(halves: halves, count: Int32(floatCount), ordinal: ordinal, seed: rows.firstSeed(ordinal)))
        kernels.widen(own, halves, floatCount)
        now.pointee.count = count &+ 1
        return own
    }

    /// Rounds every row back into its table, and clears the bench.
    /// - Parameter word: of the event; the chances of each row follow from it and the row.
    func putBack(word: UInt64) {
        for number in 0..<now.pointee.count {
            let place = places + number
            kernels.narrow(
                place.pointee.halves, floats + number &* stride, Int(place.pointee.count), mix64(word &+ place.pointee.seed))
        }
        clear()
    }

    /// Forgets all rows; what became of them here is lost.
    func clear() {
        now.pointee = (0, now.pointee.round &+ 1)
        if now.pointee.round == 1 << 32 {
            index.update(repeating: 0, count: mask + 1)
            now.pointee.round = 1
        }
    }
}
