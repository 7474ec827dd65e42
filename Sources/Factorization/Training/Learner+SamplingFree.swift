import CKernels
import Synchronization

extension Learner {
    /// Scores and learns one interaction of a model without sampled negatives. One draw from the catalogue is scored beside
    /// it, for the prequential comparison only.
    func learnSamplingFree(
        _ record: UnsafeMutablePointer<TrainingRecord>, label: Float, weight: Float, queue: TrainerQueue.View, firstFeature: Int,
        userItems: UserItems
    ) {
        if stampsUsers { wakeUser(record, userItems: userItems) }
        side.start(user: record.pointee.user, userItems: userItems)
        for index in 0..<record.pointee.featureCount { side.append(queue.feature(firstFeature &+ index)) }
        if fades { wakeSide(record.pointee.position) }
        _ = side.fold()
        stepper.clipped = 0
        setItem(0, record.pointee.item, label: label, weight: weight)
        samplingFree.unsafelyUnwrapped.learn(record, label: label, weight: weight, side: side, stepper: &stepper, items: items)
        prequential.record(items, count: items[1].factors == nil ? 1 : 2, position: record.pointee.position)
        countRows(1 &+ side.rowCount)
        if stepper.clipped != 0 { clipped.add(Int(stepper.clipped), ordering: .relaxed) }
        touched?.append(ordinals, count: 1)
        if !items[0].score.isFinite { mend(record, rejected: 1, count: 1) }
    }
}
