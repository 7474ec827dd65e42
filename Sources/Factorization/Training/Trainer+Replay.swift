import Synchronization

extension Trainer {
    /// Learns past interactions of the event's shard again, then shows the event to the reservoir.
    ///
    /// Each is learned like the event itself, with the negatives and the catalogue of the present position, without context
    /// features, without a say in prequential metrics, and without its own item in the user's history (which is the present
    /// one: that is why replay harms models that take history as context). Models without
    /// sampled negatives take no part: their steps are weighed by how often a user comes.
    @inline(never)
    func replay(_ reservoir: ReplayReservoir, beside record: UnsafeMutablePointer<TrainingRecord>, label: Float, weight: Float) {
        let user = record.pointee.user, position = record.pointee.position, shard = Placement.shard(user)
        for number in 0..<replaysPerEvent {
            let word = reservoir.word(at: position, number)
            guard let event = reservoir.draw(word, shard: shard), !learners[0].draws.holes.contains(event.item) else { continue }
            var past = TrainingRecord(
                position: position, user: event.user, item: event.item, catalogue: record.pointee.catalogue, value: 0, weight: 1,
                type: event.type, featureCount: 0, kind: .interaction, hasValue: false)
            for learner in learners {
                learner.learn(
                    &past, label: event.label, weight: event.weight, queue: ring, firstFeature: 0, userItems: shared.userItems,
                    replay: word)
            }
            replayed.store(replayed.load(ordering: .relaxed) &+ 1, ordering: .relaxed)
        }
        let event = ReplayEvent(user: user, item: record.pointee.item, label: label, weight: weight, type: record.pointee.type)
        reservoir.offer(event, position: position)
    }
}
