import Alternating
import Factorization
import StreamTools

/// Events told to an engine that learns nothing from them: ids, histories, seen sets and popularity are there, and the events by
/// number of user and item, for a solver.
final class ToldEvents {
    let engine: Engine
    let observations: Observations
    /// Whether any event had context or anybody attributes.
    let hasFeatures: Bool

    init(_ records: [DatasetRecord], _ settings: EngineSettings) {
        var silent = settings
        silent.trainers = 1
        silent.otherEvents.weight = 0
        for name in silent.eventTypes.keys { silent.eventTypes[name]?.weight = 0 }
        // The rows are made by the models' own settings, and so is what a daemon goes on with.
        let engine = Engine(settings: silent)
        self.engine = engine
        let feed = OfflineFeed(engine)
        var hasFeatures = false
        var users: [Int] = [], items: [Int] = [], labels: [Double] = [], weights: [Double] = []
        var waiting: [DatasetEvent] = []
        func take() {
            feed.flush()
            for event in waiting {
                let rule = event.type.flatMap { settings.eventTypes[$0] } ?? settings.otherEvents
                let weight = Double(rule.weight * (event.weight ?? 1))
                guard weight > 0, let label = rule.label(of: event.value), let (user, item) = engine.ordinals(event) else { continue }
                users.append(Int(user))
                items.append(Int(item))
                labels.append(Double(label))
                weights.append(weight)
            }
            waiting.removeAll(keepingCapacity: true)
        }
        for record in records {
            switch record {
            case .event(let event):
                hasFeatures = hasFeatures || !event.context.isEmpty
                feed.append(event)
                waiting.append(event)
                if waiting.count == 4096 { take() }
            case .json(let line):
                feed.append(json: line)
            }
        }
        take()
        self.hasFeatures = hasFeatures || engine.userAttributes.count + engine.itemAttributes.count > 0
        observations = Observations(sizes: [engine.users.count, engine.items.count], features: [users, items], labels: labels, weights: weights)
    }
}
