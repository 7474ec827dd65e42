import Synchronization

/// Learning rates and strengths of l2: what may change while a model lives.
///
/// Thread safety: any thread reads; one at a time replaces, while no trainer learns. What was replaced stays until the end, for
/// a reader may hold it: some hundred bytes a change. Sendable by hand: nodes never change.
final class LearningPace: @unchecked Sendable {
    struct Values: Equatable, Sendable {
        var rates: ModelSettings.Groups
        var globalRate: Float
        var l2: ModelSettings.Groups
    }

    private struct Node {
        let values: Values
        let before: UnsafeMutablePointer<Node>?
    }

    private let newest: Atomic<UnsafeMutablePointer<Node>>

    init(_ values: Values) { newest = Atomic(LearningPace.node(values, before: nil)) }

    deinit {
        var node: UnsafeMutablePointer<Node>? = newest.load(ordering: .relaxed)
        while let this = node {
            node = this.pointee.before
            this.deallocate()
        }
    }

    @inline(__always)
    var values: Values { newest.load(ordering: .acquiring).pointee.values }

    func replace(_ values: Values) {
        newest.store(LearningPace.node(values, before: newest.load(ordering: .relaxed)), ordering: .releasing)
    }

    private static func node(_ values: Values, before: UnsafeMutablePointer<Node>?) -> UnsafeMutablePointer<Node> {
        let node = UnsafeMutablePointer<Node>.allocate(capacity: 1)
        node.initialize(to: Node(values: values, before: before))
        return node
    }
}

extension ModelSettings {
    var pace: LearningPace.Values {
        get { LearningPace.Values(rates: rates, globalRate: globalRate, l2: l2) }
        set { (rates, globalRate, l2) = (newValue.rates, newValue.globalRate, newValue.l2) }
    }
}

extension Engine {
    /// Learns with the rates and strengths of l2 of these settings from here on, a model each in the engine's order. Everything
    /// else in them is as the models were made.
    ///
    /// While nobody is sequencer and every trainer has applied all that was given out: as if the state had been captured here and
    /// taken up by an engine made with these settings, bit for bit.
    public func adopt(_ settings: [ModelSettings]) {
        precondition(settings.count == models.count, "settings for each model")
        for (model, new) in zip(models, settings) {
            var old = model.settings
            old.pace = new.pace
            precondition(old == new, "model \(new.name): only rates and strengths change while it lives")
            model.adopt(new.pace)
        }
        for trainer in trainers { for learner in trainer.learners { learner.adoptPace() } }
    }
}
