public import Factorization
import Persistence

extension Configuration {
    /// The engine that this configuration asks for.
    public var engineSettings: EngineSettings {
        var settings = EngineSettings(
            models: models.map(\.settings), trainers: threads.trainers, historyLength: history.held,
            seenLimit: history.seenLimit)
        settings.scorers = threads.scorers
        settings.popularityHalfLife = popularity.halfLife
        settings.recentSpan = popularity.recent
        settings.replayCapacity = replay.capacity
        settings.replaysPerEvent = replay.perEvent
        settings.historyBudget = memory.histories.bytes
        settings.memory.budget = memory.budget.bytes
        settings.memory.admissionSightings = memory.admissionSightings
        settings.memory.idleEvents = memory.idleEvents
        settings.comparison = comparison
        for (name, event) in events where name != "*" { settings.eventTypes[name] = event.rule }
        settings.otherEvents = (events["*"] ?? Event()).rule
        return settings
    }
}

extension Configuration.Journal {
    var settings: JournalSettings {
        let sync: JournalSync =
            switch sync {
            case .always: .always
            case .interval: .interval(nanoseconds: interval.nanoseconds)
            case .never: .never
            }
        return JournalSettings(
            sync: sync, groupCommitNanoseconds: groupCommit.nanoseconds, segmentBytes: segmentBytes.bytes, tailBytes: tail.bytes & ~15,
            reservationBlock: JournalKeeper.reservationBlock, reservationLimit: JournalKeeper.reservationLimit)
    }
}

extension Configuration.Event {
    var rule: TypeRule {
        let label: TypeRule.Label =
            switch label {
            case .constant(let label): .constant(label)
            case .value: .value
            case .valueOr(let other): .valueOr(other)
            }
        return TypeRule(label: label, weight: weight, marksSeen: seen)
    }
}

extension Configuration.Model {
    var settings: ModelSettings {
        let rates = ModelSettings.Groups(
            user: optimizer.rateUser, item: optimizer.rateItem, context: optimizer.rateContext, weight: optimizer.rateWeight,
            history: optimizer.rateHistory, attribute: optimizer.rateAttribute)
        let l2 = ModelSettings.Groups(
            user: regularization.user, item: regularization.item, context: regularization.context, weight: regularization.weight,
            history: regularization.history, attribute: regularization.attribute)
        var settings = ModelSettings(
            name: name, kind: kind, rank: rank, loss: loss, optimizer: optimizer.kind, rates: rates,
            globalRate: optimizer.rateWeight, l2: l2, negatives: negatives.count, verifiedNegatives: negatives.verified,
            unobserved: unobserved,
            interaction: ModelSettings.Interaction(user: regularization.interactionUser, item: regularization.interactionItem),
            history: ModelSettings.History(length: history.length, decay: history.decay),
            deviation: initialDeviation, seed: seed,
            symmetric: symmetric, order: order, ranks: ranks, fields: fields)
        settings.storage = storage
        settings.popularityExponent = negatives.popularityExponent
        settings.steps = optimizer.steps
        settings.refolding = ModelSettings.Refolding(
            after: refolding.after, items: refolding.items, rate: refolding.rate, isLasting: refolding.lasting)
        settings.refinement = ModelSettings.Refinement(passes: refinement.passes, decay: refinement.decay)
        settings.halfLife = forgetting.halfLife
        return settings
    }
}
