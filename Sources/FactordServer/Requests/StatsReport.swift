import Factorization
import LinuxSystem
import Persistence
import Synchronization
import WireFormats

/// Everything that `stats` tells, gathered from the parts of the daemon. Can be read from any thread.
final class StatsReport: Sendable {
    private let engine: Engine
    private let streams: [StreamCounters]
    let ingest: Ingest
    let journal: JournalKeeper?
    let keeper: SnapshotKeeper
    private let deadLetters: DeadLetterFile
    private let started = MonotonicClock.nanoseconds
    /// The reply socket's counters; set once, when the socket exists.
    private let requestCounters = Lock<RequestCounters?>(nil)

    init(engine: Engine, streams: [StreamCounters], ingest: Ingest, journal: JournalKeeper?, keeper: SnapshotKeeper, deadLetters: DeadLetterFile) {
        self.engine = engine
        self.streams = streams
        self.ingest = ingest
        self.journal = journal
        self.keeper = keeper
        self.deadLetters = deadLetters
    }

    func attach(_ counters: RequestCounters) { requestCounters.withLock { $0 = counters } }

    func write(into writer: inout JSONWriter) {
        writer.beginObject()
        field("position", engine.appliedPosition, &writer)
        field("sequenced", engine.sequencer.lastPosition, &writer)
        writeDurability(&writer)
        writer.key("uptime_seconds")
        writer.value(Double(MonotonicClock.nanoseconds - started) / 1e9)
        writer.key("kernels")
        writer.value("\(Kernels.best.variant)")
        writeEvents(&writer)
        writeStreams(&writer)
        writeTrainers(&writer)
        writeModels(&writer)
        writeReplay(&writer)
        writeTables(&writer)
        writeSnapshot(&writer)
        writeRequests(&writer)
        writer.endObject()
    }

    private func field(_ name: StaticString, _ value: UInt64, _ writer: inout JSONWriter) {
        writer.key(name)
        writer.value(value)
    }
    private func field(_ name: StaticString, _ value: Int, _ writer: inout JSONWriter) {
        writer.key(name)
        writer.value(value)
    }
    private func field(_ name: StaticString, _ value: Double, _ writer: inout JSONWriter) {
        writer.key(name)
        writer.value(value)
    }

    private func writeEvents(_ writer: inout JSONWriter) {
        writer.key("events")
        writer.beginObject()
        field("received", streams.reduce(0) { $0 + $1.records.load(ordering: .relaxed) }, &writer)
        field("accepted", engine.trainers.reduce(0) { $0 + $1.interactions }, &writer)
        field("rate", keeper.eventRate, &writer)
        field("waits", ingest.waits.load(ordering: .relaxed), &writer)
        writer.key("rejected")
        writer.beginObject()
        var counts: [String: UInt64] = [:]
        for stream in streams { for (reason, count) in stream.rejected { counts[reason.rawValue, default: 0] += count } }
        for (reason, count) in engine.sequencer.refusals { counts[reason.rawValue, default: 0] += UInt64(count) }
        for (reason, count) in counts.sorted(by: { $0.key < $1.key }) {
            writer.key(reason)
            writer.value(count)
        }
        writer.endObject()
        let letters = deadLetters.counts
        writer.key("dead_letters")
        writer.beginObject()
        field("written", UInt64(letters.written), &writer)
        field("lost", UInt64(letters.lost), &writer)
        writer.endObject()
        writer.endObject()
    }

    private func writeStreams(_ writer: inout JSONWriter) {
        writer.key("streams")
        writer.beginArray()
        for stream in streams {
            writer.beginObject()
            writer.key("name")
            writer.value(stream.name)
            field("messages", stream.messages.load(ordering: .relaxed), &writer)
            field("bytes", stream.bytes.load(ordering: .relaxed), &writer)
            field("received", stream.records.load(ordering: .relaxed), &writer)
            field("oversize", stream.oversize.load(ordering: .relaxed), &writer)
            field("disconnects", stream.disconnects.load(ordering: .relaxed), &writer)
            field("recreated", stream.recreated.load(ordering: .relaxed), &writer)
            writeLosses(stream.losses, &writer)
            writeAnswers(stream, &writer)
            writer.endObject()
        }
        writer.endArray()
    }

    private func writeTrainers(_ writer: inout JSONWriter) {
        writer.key("trainers")
        writer.beginArray()
        for trainer in engine.trainers {
            writer.beginObject()
            field("queue_depth", trainer.queueDepth, &writer)
            field("queue_capacity", trainer.queueCapacity, &writer)
            field("applied", trainer.appliedPosition, &writer)
            writer.endObject()
        }
        writer.endArray()
    }

    private func writeModels(_ writer: inout JSONWriter) {
        writer.key("models")
        writer.beginArray()
        for (index, model) in engine.models.enumerated() {
            let report = engine.prequential(index), caps = engine.caps(index)
            writer.beginObject()
            writer.key("name")
            writer.value(model.settings.name)
            writer.key("kind")
            writer.value(model.settings.kind.rawValue)
            field("rank", model.settings.rank, &writer)
            writer.key("loss")
            writer.value(model.settings.loss.rawValue)
            field("events", report.events, &writer)
            field("row_updates", engine.rowUpdates(index), &writer)
            field("clipped", caps.clipped, &writer)
            field("rejected", caps.rejected, &writer)
            field("refolded", engine.refolded(index), &writer)
            let drift = engine.drift(index)
            writer.key("drift")
            writer.beginObject()
            field("alarms", drift.alarms, &writer)
            field("last_position", drift.lastPosition, &writer)
            writer.endObject()
            writer.key("prequential")
            writer.beginArray()
            write(report.metric, report.value, report.recent, &writer)
            if let auc = report.auc { write("auc", auc, report.recentAUC ?? auc, &writer) }
            writer.endArray()
            writeProof(engine.witness(index), &writer)
            writer.endObject()
        }
        writer.endArray()
    }

    private func write(_ metric: String, _ value: Double, _ recent: Double, _ writer: inout JSONWriter) {
        writer.beginObject()
        writer.key("metric")
        writer.value(metric)
        field("value", value, &writer)
        field("recent", recent, &writer)
        writer.endObject()
    }

    private func writeReplay(_ writer: inout JSONWriter) {
        let replay = engine.replay
        writer.key("replay")
        writer.beginObject()
        field("capacity", replay.capacity, &writer)
        field("held", replay.held, &writer)
        field("replay_count", replay.replayed, &writer)
        field("bytes", replay.bytes, &writer)
        writer.endObject()
    }

    private func writeTables(_ writer: inout JSONWriter) {
        let bytes = engine.bytes
        writer.key("tables")
        writer.beginObject()
        field("users", engine.users.liveCount, &writer)
        field("items", engine.items.liveCount, &writer)
        field("hidden_items", engine.items.hiddenCount, &writer)
        field("context_features", engine.contexts.count, &writer)
        field("user_attributes", engine.userAttributes.count, &writer)
        field("item_attributes", engine.itemAttributes.count, &writer)
        field("bytes", bytes.ids + bytes.userItems + bytes.rows, &writer)
        field("id_bytes", bytes.ids, &writer)
        field("history_bytes", bytes.userItems, &writer)
        let histories = engine.histories
        field("held_bytes", histories.held, &writer)
        field("held_dropped", histories.dropped, &writer)
        field("row_bytes", bytes.rows, &writer)
        field("budget", engine.settings.memory.budget, &writer)
        field("evictions", engine.evictions, &writer)
        writeSides(&writer)
        writer.endObject()
    }

    /// Bytes in use by side, and for each id and each row.
    private func writeSides(_ writer: inout JSONWriter) {
        writer.key("sides")
        writer.beginArray()
        for table in engine.tables where table.ids + table.holes > 0 {
            let rows = Double(table.ids + table.holes)
            writer.beginObject()
            writer.key("name")
            writer.value(table.name)
            field("ids", table.ids, &writer)
            field("holes", table.holes, &writer)
            field("id_bytes", table.idBytes, &writer)
            field("row_bytes", table.rowBytes, &writer)
            field("bytes_per_id", Double(table.idBytes) / rows, &writer)
            field("bytes_per_row", Double(table.rowBytes) / rows, &writer)
            writer.endObject()
        }
        writer.endArray()
    }

    private func writeSnapshot(_ writer: inout JSONWriter) {
        writer.key("snapshot")
        writer.beginObject()
        field("count", keeper.written.load(ordering: .relaxed), &writer)
        field("failed", keeper.failed.load(ordering: .relaxed), &writer)
        if let newest = keeper.newest {
            field("position", newest.position, &writer)
            field("age_seconds", Double(MonotonicClock.nanoseconds - newest.finished) / 1e9, &writer)
            field("bytes", newest.bytes, &writer)
            writer.key("exact")
            writer.value(newest.isExact)
            field("seconds", newest.seconds, &writer)
            field("verify_seconds", newest.verifySeconds, &writer)
            field("pauses", newest.pauses.count, &writer)
            field("pause_ms", newest.pauses.longestMilliseconds, &writer)
            field("pause_p50_ms", newest.pauses.medianMilliseconds, &writer)
            field("pause_p999_ms", newest.pauses.p999Milliseconds, &writer)
            field("pause_total_ms", newest.pauses.totalMilliseconds, &writer)
        }
        writer.endObject()
    }

    private func writeRequests(_ writer: inout JSONWriter) {
        guard let counters = requestCounters.withLock({ $0 }) else { return }
        writer.key("requests")
        writer.beginObject()
        field("answered", counters.answered.load(ordering: .relaxed), &writer)
        field("errors", counters.errors.load(ordering: .relaxed), &writer)
        field("dropped", counters.dropped.load(ordering: .relaxed), &writer)
        field("disconnects", counters.disconnects.load(ordering: .relaxed), &writer)
        field("p50_us", counters.percentile(50), &writer)
        field("p99_us", counters.percentile(99), &writer)
        writer.endObject()
    }
}
