import Persistence
import Synchronization
import WireFormats

/// What `stats` tells of journal, losses and acknowledgements.
extension StatsReport {
    /// The journal's state.
    func writeDurability(_ writer: inout JSONWriter) {
        writeDurable(&writer)
        writeJournal(&writer)
    }

    var durablePosition: UInt64 { journal?.durablePosition ?? keeper.newest?.position ?? 0 }

    /// `durable`, and `degraded` with the reason while the storage is.
    func writeDurable(_ writer: inout JSONWriter) {
        writer.member("durable", durablePosition)
        if let fault = journal?.fault {
            writer.member("degraded", "storage")
            writer.member("degraded_reason", fault)
        }
    }

    private func writeJournal(_ writer: inout JSONWriter) {
        guard let journal else { return }
        writer.key("journal")
        writer.beginObject()
        writer.member("appended", journal.journal.appendedNumber)
        writer.member("durable", journal.journal.durableNumber)
        writer.member("segments", journal.journal.segmentCount)
        writer.member("failures", journal.failures.load(ordering: .relaxed))
        writer.member("holes", journal.journal.holes.count)
        writer.member("learned_not_durable", ingest.undurable.load(ordering: .relaxed))
        let sources = ingest.sources
        writer.member("sources", sources.held)
        writer.member("sources_expired", sources.expired)
        writer.endObject()
    }

    /// Records set aside by reason, those that never came too.
    func writeRejections(_ stream: StreamCounters, _ writer: inout JSONWriter) {
        let rejected = stream.rejected
        writer.key("rejected")
        writer.beginObject()
        for reason in RejectionReason.allCases {
            writer.key(reason.rawValue)
            writer.value(rejected.first { $0.reason == reason }?.count ?? 0)
        }
        writer.endObject()
    }

    /// What is known to be missing on a stream; zeros where no publisher numbers its messages.
    func writeLosses(_ losses: LossCounts, _ writer: inout JSONWriter) {
        writer.key("losses")
        writer.beginObject()
        let counts: [(StaticString, UInt64)] = [
            ("sources", UInt64(losses.sources)), ("gaps", losses.gaps), ("missing", losses.missing), ("reordered", losses.reordered),
            ("duplicates", losses.duplicates), ("stale", losses.stale),
        ]
        for (name, count) in counts {
            writer.key(name)
            writer.value(count)
        }
        if let last = losses.last {
            writer.key("last_gap")
            writer.beginObject()
            writer.member("source", last.source)
            writer.member("epoch", last.epoch)
            writer.member("first", last.first)
            writer.member("last", last.last)
            writer.endObject()
        }
        writer.endObject()
    }

    /// The answers of an acknowledged stream.
    func writeAnswers(_ stream: StreamCounters, _ writer: inout JSONWriter) {
        let answered = stream.answered.all
        writer.key("answered")
        writer.beginObject()
        for status in AcknowledgementStatus.allCases {
            writer.key(status.rawValue)
            writer.value(answered.first { $0.status == status }?.count ?? 0)
        }
        writer.endObject()
        writer.member("answers_dropped", stream.answersDropped.load(ordering: .relaxed))
    }
}
