import CKernels
import Synchronization

/// Rows of users re-solved from what is held of them, in idle time: one alternating step of the user's side, element by element
/// (He et al. 2016), for a model that learns by gradient steps. Such steps leave of an event less and less as others follow, and
/// what comes next is more like what came last: so held items weigh by age.
extension Learner {
    /// Fits a user's row to the held history, with everything but the row's factors held fixed; it is anchored where it is
    /// (`FoldIn`). Does nothing where nothing is held.
    ///
    /// What comes out is a function of the position and of what is learned by then, as of an event.
    /// - Parameter catalogue: number of items, from which negatives are drawn.
    func refine(user: UInt32, position: UInt64, catalogue: Int, userItems: UserItems) {
        guard let refinement, !model.users.isAsleep(user) else { return }
        let visitor = visitor(user, userItems)
        guard !visitor.items.isEmpty else { return }
        let now = model.halfLife.stamp(position)
        // Stamps otherwise say when the user's last event was, which this is none.
        if fades, let stamps = model.users.stamps {
            let before = stamps.touch(user, now: now), factor = model.halfLife.factor(from: before, to: now)
            if before != 0 && before < now && factor != 1 { model.users.shrink(user, factor, kernels) }
        }
        let state = fk_read_state(model.users.state(user)), width = model.layout.sideWidth
        model.users.withCopy(user, kernels) { refinement.anchor(at: $0, state) }
        let word = draws.word(at: position) &+ UInt64(user)
        let seen = verifiesNegatives ? (userItems, user: user) : nil
        guard refinement.fit(visitor, [], now: now, against: .past(count: catalogue, draws.holes, seen: seen), word: mix64(word)) else { return }
        model.users.write(user, refinement.row.factors, count: width, word: ~word, kernels)
        refined.store(refined.load(ordering: .relaxed) &+ 1, ordering: .relaxed)
    }

    /// Weight below which an item has no part.
    private static let leastRefined: Float = 0.05

    /// What a user took, oldest first, each weighing less than the one after it, and the user's attributes.
    private func visitor(_ user: UInt32, _ userItems: UserItems) -> Visitor {
        withUnsafeTemporaryAllocation(of: UInt32.self, capacity: max(userItems.historyLength, 1)) { held in
            let count = userItems.history(of: user, into: held)
            // A hole is an item that is gone, and not yet swept out.
            var items: [Visitor.Item] = [], weight: Float = 1
            for item in held[..<count] where !draws.holes.contains(item) {
                guard weight > Learner.leastRefined else { break }
                items.append(Visitor.Item(ordinal: item, weight: weight))
                weight *= model.settings.refinement.decay
            }
            items.reverse()
            guard model.attributes.users.has(user), let list = model.attributes.users[user] else { return Visitor(items: items) }
            return Visitor(items: items, attributes: (0..<list.count).map { (list[$0].ordinal, list[$0].weight) })
        }
    }
}

extension Trainer {
    /// Re-solves the rows that a record names, those of this trainer.
    /// - Parameter isHeld: whether a model's row of a user has it already, which a restored state may say.
    func refine(_ record: UnsafeMutablePointer<TrainingRecord>, isHeld: (_ model: Int, _ user: UInt32) -> Bool = { _, _ in false }) {
        let first = record.pointee.user, count = record.pointee.item
        for user in first..<first + count where Placement.shard(user) % trainerCount == index {
            for (number, learner) in learners.enumerated() where !isHeld(number, user) {
                learner.refine(
                    user: user, position: record.pointee.position, catalogue: Int(record.pointee.catalogue), userItems: shared.userItems)
            }
        }
    }
}
