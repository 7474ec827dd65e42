import CKernels

extension Scorer {
    /// Brings a side up to the present without writing a row: rows count what their half-life leaves of them, and a stale
    /// user's row is folded anew in scratch. Inside `reading`.
    func refresh(_ side: UserSide, _ number: Int, _ user: UInt32) {
        let model = side.model
        guard user != Placement.none || model.settings.halfLife > 0, let stamps = model.users.stamps else { return }
        let position = engine.appliedPosition, now = model.halfLife.stamp(position)
        side.fade(now: now)
        guard user != Placement.none, let refolding = refoldings[number] else { return }
        let stamp = stamps[user]
        guard refolding.isStale(stamp: stamp, at: position),
            let row = refolding.fold(
                user: user, stamp: stamp, now: now, catalogue: UInt32(engine.items.count), userItems: engine.shared.userItems)
        else { return }
        side.replaceUser(row.factors, row.state)
    }
}

extension UserSide {
    /// Lets each row count what its half-life leaves of it at the stamp `now`; writes no row.
    func fade(now: UInt64) {
        guard model.settings.halfLife > 0 else { return }
        for index in 0..<rowCount {
            guard rows[index].ordinal != Placement.none, let stamps = model.table(rows[index].group).stamps else { continue }
            rows[index].x *= model.halfLife.factor(from: stamps[rows[index].ordinal], to: now)
        }
    }

    /// Takes another row in place of the user's.
    func replaceUser(_ factors: UnsafeMutablePointer<Float>, _ state: UnsafeMutablePointer<fk_row_state>) {
        rows[0].x = 1
        rows[0].factors = factors
        rows[0].state = state
    }
}
