/// An interaction whose ids are resolved: what a benchmark of learning alone feeds to a trainer.
public struct ResolvedInteraction: Sendable {
    /// Ordinals in the user and item tables; both must have been admitted.
    public var user: UInt32
    public var item: UInt32
    /// The event's value, taken as the rule of untyped events says.
    public var value: Float

    public init(user: UInt32, item: UInt32, value: Float) {
        self.user = user
        self.item = item
        self.value = value
    }
}

extension Engine {
    /// Hands the first of some interactions to one trainer past the sequencer: as many as its queue holds; answers how many.
    /// Positions count on from the last one of that trainer, so the engine is of no use for anything but measuring afterwards.
    ///
    /// - Precondition: the users belong to this trainer's shards and nothing waits in its queue; no other thread is sequencer or
    ///   this trainer.
    package func place(_ interactions: Slice<UnsafeBufferPointer<ResolvedInteraction>>, trainer number: Int) -> Int {
        let trainer = trainers[number], queue = trainer.queue, catalogue = UInt32(items.count)
        let part = interactions.prefix(queue.room), before = trainer.appliedPosition
        queue.append(count: part.count) { index in
            let interaction = part[part.startIndex &+ index]
            return TrainingRecord(
                position: before &+ 1 &+ UInt64(index), user: interaction.user, item: interaction.item, catalogue: catalogue,
                value: interaction.value, weight: 1, type: 0, featureCount: 0, kind: .interaction, hasValue: true)
        }
        queue.publish(position: before + UInt64(part.count))
        return part.count
    }

    /// Hands interactions to one trainer and applies them on the calling thread.
    ///
    /// - Precondition: as for `place`.
    package func apply(_ interactions: UnsafeBufferPointer<ResolvedInteraction>, trainer number: Int) {
        var rest = interactions[...]
        while !rest.isEmpty {
            rest = rest.dropFirst(place(rest, trainer: number))
            _ = trainers[number].drain()
        }
    }
}
