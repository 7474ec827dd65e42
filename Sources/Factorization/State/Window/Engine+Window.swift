extension Engine {
    /// The position up to which a restored state holds something: the stream must be applied again to there before what it
    /// teaches is new. The position of the state itself, `sequencer.lastPosition` right after `restore`, is where it starts. Nil where
    /// nothing has to be applied again.
    public var windowEnd: UInt64? { sequencer.window.flatMap { $0.isOpen ? $0.highest : nil } }

    /// Goes on without the rest of the stream, where there is none: what the pieces hold stands as it is, an approximation, and
    /// positions go on after the highest. For a state whose journal is lost. Before any thread starts.
    public func abandonWindow() {
        guard let window = sequencer.window, window.isOpen else { return }
        _ = window.alone { window.end() }
        sequencer.restore(position: max(window.highest, sequencer.lastPosition))
        shared.decay.restore(increment: shared.decay.increment, position: sequencer.lastPosition)
        for trainer in trainers { trainer.restore(position: sequencer.lastPosition) }
    }

    /// Before any thread starts.
    func openWindow(_ window: ReplayWindow) {
        let models = models, items = items
        window.finish = {
            for model in models { model.grams?.rebuild(model, itemCount: items.count) }
        }
        sequencer.window = window
        for trainer in trainers { trainer.window = window }
        window.bases = witnessBases
    }
}

extension ReplayWindow {
    /// Counts an interaction in the sums of a model, each part where the row takes it now.
    func count(_ number: Int, user: UInt32, item: UInt32, _ position: UInt64) {
        let shard = Placement.shard(user)
        if !hasRow(number, groups[number].users, user, shard: shard, position) {
            bases[number].add(Witness.mix(position, user), user: RowBlock.of(user))
        }
        if !hasRow(number, groups[number].items, item, shard: shard, position) {
            bases[number].add(Witness.mix(position, item), item: RowBlock.of(item))
        }
    }
}
