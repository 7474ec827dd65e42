import CKernels
import Synchronization

/// The usual event, learned in runs.
extension Learner {
    /// Whether the model learns such events in runs at all.
    static func takesRuns(_ model: Model) -> Bool {
        model.layout.userRowIsQuery && model.histories == nil && model.samplingFree == nil && !model.settings.loss.isPairwise
            && model.settings.optimizer != .adagradCoordinate && model.kernelOptions.special == 0
    }

    /// Whether this event goes into the run.pointee.
    @inline(__always)
    func joinsRun(_ record: UnsafeMutablePointer<TrainingRecord>) -> Bool {
        takesRuns && record.pointee.featureCount == 0 && !hasAttributes(record.pointee.user)
            && !(takesItemAttributes && itemsWithAttributes.pointee.load(ordering: .relaxed) != 0)
    }

    /// Adds an event to the run; learns from it once the run is long enough or `finishRun` asks.
    @inline(__always)
    func place(_ record: UnsafeMutablePointer<TrainingRecord>, label: Float, weight: Float, userItems: UserItems) {
        items = run.pointee.items + run.pointee.itemCount
        ordinals = run.pointee.ordinals + run.pointee.itemCount
        setItem(0, record.pointee.item, label: label, weight: weight)
        var count = 1
        if negatives > 0 && label > 0 { count &+= drawNegatives(of: record, weight: weight, userItems: userItems) }
        let user = record.pointee.user
        run.pointee.place(
            query: userRows.factors(user), state: userRows.state(user), user: user, position: record.pointee.position, itemCount: count)
        if run.pointee.isFull { learnRun(keepsTail: true) }
    }

    /// Learns every event that was placed.
    @inline(__always)
    func finishRun() {
        if !run.pointee.isEmpty { learnRun(keepsTail: false) }
    }

    @inline(never)
    private func learnRun(keepsTail: Bool) {
        let learned = run.pointee.learn(model, settings, keepsTail: keepsTail)
        let first = prequential.record(run.pointee, count: learned)
        if run.pointee.state.clipped != 0 { clipped.add(Int(run.pointee.state.clipped), ordering: .relaxed) }
        if run.pointee.state.rejected != 0 { mendRun(learned) }
        run.pointee.drop(learned, items: first)
        items = run.pointee.items
        ordinals = run.pointee.ordinals
    }

    /// Some of the events just learned had a score that was not finite.
    @inline(never)
    private func mendRun(_ learned: Int) {
        rejected.add(Int(run.pointee.state.rejected), ordering: .relaxed)
        var first = 0
        for index in 0..<learned {
            let event = run.pointee.event(index)
            let isBad = (first..<first + event.itemCount).contains { !run.pointee.items[$0].score.isFinite }
            if isBad {
                mend(model.users, event.user)
                for item in first..<first + event.itemCount { mend(model.items, run.pointee.ordinals[item]) }
            }
            first += event.itemCount
        }
    }
}
