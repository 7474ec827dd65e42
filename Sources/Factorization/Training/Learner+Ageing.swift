import CKernels
import Synchronization

/// Rows that slept: they fade with the model's half-life, and a user's stale row is led past the held history again.
///
/// A row fades in place when an event touches it. Rows that answers scan in one piece (items, their attributes) and rows of
/// history are also visited by a sweep, so that none of them is far behind; the other rows of a user's side fade as they are
/// read (`UserSide.fade`).
extension Learner {
    /// Brings the rows of the event's items up to its position.
    @inline(never)
    func wakeItems(_ position: UInt64, count: Int) {
        // With Gram matrices an item fades where they are told of it.
        guard model.grams == nil else { return }
        let now = model.halfLife.stamp(position)
        for index in 0..<count { model.fade(item: ordinals[index], to: now) }
    }

    /// Brings the user's row up to the event's position; past the threshold it is folded anew, lastingly.
    @inline(never)
    func wakeUser(_ record: UnsafeMutablePointer<TrainingRecord>, userItems: UserItems) {
        let user = record.pointee.user, now = model.halfLife.stamp(record.pointee.position)
        guard let stamps = model.users.stamps else { return }
        let before = stamps.touch(user, now: now)
        guard before != 0 && before < now else { return }
        let factor = model.halfLife.factor(from: before, to: now)
        if let refolding, refolding.isStale(stamp: before, at: record.pointee.position),
            let row = refolding.fold(
                user: user, stamp: before, now: now, catalogue: record.pointee.catalogue, userItems: userItems)
        {
            if factor != 1 { model.users.shrink(user, factor, kernels) }
            model.users.write(user, row.factors, count: model.users.width, word: ~draws.word(at: record.pointee.position), kernels)
            refolded.store(refolded.load(ordering: .relaxed) &+ 1, ordering: .relaxed)
        } else if factor != 1 {
            model.users.shrink(user, factor, kernels)
        }
    }

    /// Brings the rows beside the user's up to the event's position.
    @inline(never)
    func wakeSide(_ position: UInt64) {
        let now = model.halfLife.stamp(position)
        for index in 1..<max(side.rowCount, 1) { model.fade(model.table(side.rows[index].group), side.rows[index].ordinal, to: now) }
    }

    // MARK: Sweep

    /// Fades the rows whose turn it is at `position`: a function of the position and of how many rows were ever touched.
    ///
    /// With N rows rounded up to a power of two, each is visited within P positions, P the greatest power of two up to
    /// h/32, and between N/16 and 4 N: a row that is read as it lies is at most by the factor 2^(1/32) too large, unless the
    /// table is so large that this would cost more than 16 visits an event.
    @inline(never)
    func sweep(_ position: UInt64) {
        let now = model.halfLife.stamp(position)
        for table in sweptTables {
            guard let reach = table.stamps?.reach, reach > 0 else { continue }
            let (rows, period) = Learner.round(reach: reach, halfLife: model.halfLife.events)
            let pause = max(period / rows, 1), visits = max(rows / period, 1)
            guard position % pause == 0 else { continue }
            let first = position / pause &* visits
            for visit in 0..<visits {
                let ordinal = (first &+ visit) & (rows - 1)
                if ordinal < UInt64(reach) && table.stamps.unsafelyUnwrapped[UInt32(ordinal)] != 0 { model.fade(table, UInt32(ordinal), to: now) }
            }
        }
    }

    /// Rows of a round, and the positions that it takes: powers of two.
    static func round(reach: UInt32, halfLife: UInt64) -> (rows: UInt64, period: UInt64) {
        let rows = powerOfTwo(upTo: 2 * UInt64(reach) - 1)
        return (rows, powerOfTwo(upTo: max(min(halfLife / 32, 4 * rows), rows / 16, 1)))
    }

    private static func powerOfTwo(upTo value: UInt64) -> UInt64 { 1 << UInt64(63 - value.leadingZeroBitCount) }
}

extension Model {
    /// Brings a row up to the stamp `now`.
    @inline(__always)
    func fade(_ table: FactorTable, _ ordinal: UInt32, to now: UInt64) {
        guard let stamps = table.stamps else { return }
        let before = stamps.touch(ordinal, now: now)
        guard before != now else { return }
        let factor = halfLife.factor(from: before, to: now)
        if factor != 1 { table.shrink(ordinal, factor, kernels) }
    }

    /// Brings an item's row, and the rows of its attributes, up to the stamp `now`.
    @inline(__always)
    func fade(item: UInt32, to now: UInt64) {
        fade(items, item, to: now)
        guard let list = ItemSide.attributes(self, item) else { return }
        for place in 0..<list.count { fade(itemAttributes, list[place].ordinal, to: now) }
    }
}

extension FactorTable {
    /// Multiplies a row and its linear weight by `factor`, below 1. What has become too small to compute with is 0, and a
    /// sparse row whose weight has gone so loses its factors, as it does where ftrl takes the weight away.
    func shrink(_ ordinal: UInt32, _ factor: Float, _ kernels: Kernels) {
        let row = factors(ordinal)
        kernels.add(row, row, factor - 1, stride)
        if kernels.dot(row, row, stride) == 0 { fk_first_factors(row, 0, stride, 0, 0) }
        var value = fk_read_state(state(ordinal))
        let hadWeight = value.weight != 0, z = linear(ordinal).z
        value.weight *= factor
        if abs(value.weight) < 1e-30 { value.weight = 0 }
        if isSparse && value.weight == 0 {
            fk_first_factors(row, 0, stride, 0, 0)
            value.factor_accumulator = 0
            if let accumulators = accumulators(ordinal) { fk_first_factors(accumulators, 0, stride, 0, 0) }
        }
        fk_write_state(state(ordinal), value)
        if let z, hadWeight { shrink(sum: z, value.weight == 0 ? nil : factor, kernels) }
        copy?.touch(ordinal)
    }

    /// ftrl's weight follows from z, so z moves with it: what lies beyond l1 is multiplied; with the last of the weight all
    /// of it goes. Where the weight was zero already, nothing fades.
    private func shrink(sum: UnsafeMutablePointer<Float>, _ factor: Float?, _ kernels: Kernels) {
        guard let factor else { return fk_first_factors(sum, 0, 1, 0, 0) }
        var z: Float = 0
        kernels.copy(&z, sum, 1)
        guard abs(z) > threshold else { return }
        z = (z < 0 ? -1 : 1) * (threshold + factor * (abs(z) - threshold))
        kernels.copy(sum, &z, 1)
    }
}
