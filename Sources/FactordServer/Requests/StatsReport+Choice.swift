import Factorization
import Persistence
import Synchronization
import WireFormats

/// What `stats` tells of choosing among models and of exploring.
extension StatsReport {
    func writeChoice(_ writer: inout JSONWriter) {
        writer.member("answering", engine.models[engine.answering].settings.name)
        writer.member("promoted_at", engine.promotedAt)
        if let promoter, let evidence = promoter.evidence {
            writer.key("promotion")
            promoter.write(evidence, into: &writer)
        }
        writer.key("refinement")
        writer.beginObject()
        writer.member("rounds", refiner?.rounds.load(ordering: .relaxed) ?? 0)
        writer.member("seconds", Double(refiner?.nanoseconds.load(ordering: .relaxed) ?? 0) / 1e9)
        writer.member("users", refiner?.progress ?? 0)
        writer.endObject()
        writer.key("exploration")
        writer.beginObject()
        writer.member("explored", explorer?.explored.load(ordering: .relaxed) ?? 0)
        if let log = explorer?.log {
            let counts = log.counts
            writer.member("written", counts.written)
            writer.member("lost", counts.lost)
            writer.member("dropped", log.dropped.load(ordering: .relaxed))
        }
        writer.endObject()
    }
}

extension Promoter {
    /// `{"model":…,"against":…,"events":…,"evidence":…,"needed":…,"enough":…}`; evidence is the logarithm.
    func write(_ evidence: Evidence, into writer: inout JSONWriter) {
        writer.beginObject()
        writer.member("model", evidence.model)
        writer.member("against", evidence.against)
        writer.member("measure", evidence.measure.rawValue)
        writer.member("events", evidence.test.events)
        writer.member("minimum_events", evidence.minimumEvents)
        writer.member("difference", evidence.test.mean)
        writer.member("log_evidence", evidence.test.logEvidence)
        writer.member("log_needed", evidence.needed)
        if let events = evidence.test.expectedEvents(alpha: evidence.alpha) { writer.member("expected_events", events) }
        writer.member("challenges", evidence.isChallenge)
        writer.member("enough", evidence.isEnough)
        writer.member("automatic", automatic.load(ordering: .relaxed))
        writer.endObject()
    }
}
