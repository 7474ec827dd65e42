import Synchronization

/// Applies the records of its user shards, in position order: history and counts once, then each model.
///
/// Thread safety: `drain` and `prepareSleep` belong to the trainer's thread; the getters are for anyone.
public final class Trainer: @unchecked Sendable {
    /// Number of this trainer; it owns the user shards s with s mod (number of trainers) = index.
    public let index: Int
    let queue: TrainerQueue
    let learners: [Learner]
    private let shared: SharedState
    /// Lists that other trainers replace are read under this.
    private let ticket: Int
    /// Every event of this trainer up to here is applied.
    private let applied = Atomic<UInt64>(0)
    private let learned = Atomic<Int>(0)
    /// Trainer only: the last `issued` that the queue showed.
    private var seen: UInt64 = 0

    init(index: Int, queue: TrainerQueue, models: [Model], shared: SharedState) {
        self.index = index
        self.queue = queue
        self.shared = shared
        ticket = shared.epochs.register()
        learners = models.map(Learner.init)
    }

    /// Every event of this trainer up to this position is applied.
    public var appliedPosition: UInt64 { applied.load(ordering: .acquiring) }
    /// Records that wait, and how many can.
    public var queueDepth: Int { queue.depth }
    public var queueCapacity: Int { queue.capacity }
    /// Interactions applied since the start.
    public var interactions: Int { learned.load(ordering: .relaxed) }

    /// Goes on after a restored state. Before any thread starts.
    func restore(position: UInt64) { applied.store(position, ordering: .releasing) }

    /// Records between two releases of the queue's places: about 512 row updates at usual numbers of negatives.
    private static let chunk = 64
    /// Records whose rows are asked for ahead of their step.
    private static let lookahead = 4

    /// Applies what waits, at most `limit` records; answers how many that were.
    public func drain(limit: Int = .max) -> Int {
        let (issued, first, waiting) = queue.waiting()
        let count = min(waiting, limit)
        seen = issued
        var done = 0
        for ahead in 0..<min(Trainer.lookahead, count) { prefetch(first &+ ahead) }
        while done < count {
            let end = min(done + Trainer.chunk, count)
            var features = 0
            let firstFeature = queue.firstFeature
            let chunk = end - done
            shared.epochs.reading(ticket) {
                while done < end {
                    if done + Trainer.lookahead < count { prefetch(first &+ done &+ Trainer.lookahead) }
                    let record = queue.record(first &+ done)
                    apply(record, firstFeature: firstFeature &+ features)
                    features += Int(record.pointee.featureCount)
                    done += 1
                }
            }
            // The last record of the chunk is applied: all of this trainer's events up to it are.
            applied.store(queue.record(first &+ done &- 1).pointee.position, ordering: .releasing)
            queue.release(count: chunk, features: features)
        }
        if count > 0 { for learner in learners { learner.prequential.publish() } }
        // Nothing waits: whatever was issued to others does not concern this trainer.
        if count == waiting {
            applied.store(max(issued, applied.load(ordering: .relaxed)), ordering: .sequentiallyConsistent)
        }
        return count
    }

    /// Announces that the thread is about to sleep; false when it has to look again.
    public func prepareSleep() -> Bool { queue.prepareSleep(seen: seen) }

    @inline(__always)
    private func prefetch(_ index: Int) {
        let record = queue.record(index)
        guard record.pointee.kind == .interaction else { return }
        for learner in learners {
            learner.model.users.prefetch(record.pointee.user)
            learner.model.items.prefetch(record.pointee.item)
        }
    }

    @inline(__always)
    private func apply(_ record: UnsafeMutablePointer<TrainingRecord>, firstFeature: Int) {
        let user = record.pointee.user, item = record.pointee.item
        switch record.pointee.kind {
        case .interaction:
            let rule = shared.types.rule(record.pointee.type)
            let label = rule.pointee.label(value: record.pointee.value, hasValue: record.pointee.hasValue)
            let weight = rule.pointee.weight * record.pointee.weight
            if weight > 0 {
                for learner in learners {
                    learner.learn(
                        record, label: label, weight: weight, queue: queue, firstFeature: firstFeature,
                        userItems: shared.userItems)
                }
            }
            if rule.pointee.marksSeen {
                shared.userItems.append(item, user: user)
                shared.userItems.markSeen(item, user: user)
            }
            learned.store(learned.load(ordering: .relaxed) &+ 1, ordering: .relaxed)
        case .userAttributes, .itemAttributes:
            let lists = record.pointee.kind == .userAttributes ? shared.attributes.users : shared.attributes.items
            lists.set(record.pointee.kind == .userAttributes ? user : item, count: Int(record.pointee.featureCount)) {
                queue.feature(firstFeature &+ $0)
            }
        case .undo: shared.userItems.remove(item, user: user)
        case .forgetUser:
            shared.userItems.clear(user)
            shared.attributes.users.clear(user)
            for learner in learners { learner.forget(user: user) }
        default: break
        }
    }
}
