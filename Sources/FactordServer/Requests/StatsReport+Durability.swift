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

    /// `durable`, and `degraded` with the reason while the storage is.
    func writeDurable(_ writer: inout JSONWriter) {
        writer.key("durable")
        writer.value(journal?.durablePosition ?? keeper.newest?.position ?? 0)
        if let fault = journal?.fault {
            writer.key("degraded")
            writer.value("storage")
            writer.key("degraded_reason")
            writer.value(fault)
        }
    }

    private func writeJournal(_ writer: inout JSONWriter) {
        guard let journal else { return }
        writer.key("journal")
        writer.beginObject()
        writer.key("appended")
        writer.value(journal.journal.appendedNumber)
        writer.key("durable")
        writer.value(journal.journal.durableNumber)
        writer.key("segments")
        writer.value(journal.journal.segmentCount)
        writer.key("failures")
        writer.value(journal.failures.load(ordering: .relaxed))
        writer.key("holes")
        writer.value(journal.journal.holes.count)
        writer.key("learned_not_durable")
        writer.value(ingest.undurable.load(ordering: .relaxed))
        let sources = ingest.sources
        writer.key("sources")
        writer.value(sources.held)
        writer.key("sources_expired")
        writer.value(sources.expired)
        writer.endObject()
    }

    /// What is known to be missing on a stream; nothing where no publisher numbers its messages.
    func writeLosses(_ losses: LossCounts, _ writer: inout JSONWriter) {
        guard losses.sources > 0 else { return }
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
            writer.key("source")
            writer.value(last.source)
            writer.key("epoch")
            writer.value(last.epoch)
            writer.key("first")
            writer.value(last.first)
            writer.key("last")
            writer.value(last.last)
            writer.endObject()
        }
        writer.endObject()
    }

    /// The answers of an acknowledged stream.
    func writeAnswers(_ stream: StreamCounters, _ writer: inout JSONWriter) {
        let answered = stream.answered.all
        guard !answered.isEmpty else { return }
        writer.key("answered")
        writer.beginObject()
        for (status, count) in answered {
            writer.key(status.rawValue)
            writer.value(count)
        }
        writer.endObject()
        writer.key("answers_dropped")
        writer.value(stream.answersDropped.load(ordering: .relaxed))
    }
}
