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
    /// Hands interactions to one trainer past the sequencer and applies them on the calling thread. Positions count on from
    /// the last one of that trainer, so the engine is of no use for anything but measuring afterwards.
    ///
    /// - Precondition: the users belong to this trainer's shards; no other thread is sequencer or this trainer.
    package func apply(_ interactions: UnsafeBufferPointer<ResolvedInteraction>, trainer number: Int) {
        let trainer = trainers[number], queue = trainer.queue
        let catalogue = UInt32(items.count)
        var position = trainer.appliedPosition
        var index = 0
        while index < interactions.count {
            while index < interactions.count, queue.hasSpace(features: 0) {
                let interaction = interactions[index]
                position += 1
                queue.append(
                    TrainingRecord(
                        position: position, user: interaction.user, item: interaction.item, catalogue: catalogue,
                        value: interaction.value, weight: 1, type: 0, featureCount: 0, kind: .interaction, hasValue: true))
                index += 1
            }
            queue.publish(position: position)
            _ = trainer.drain()
        }
    }
}
