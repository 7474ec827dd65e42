import Factorization
import LinuxSystem
import Persistence
import Synchronization
import WireFormats

/// Everything that `stats` tells, gathered from the parts of the daemon. Can be read from any thread.
final class StatsReport: Sendable {
    let engine: Engine
    let streams: [StreamCounters]
    let ingest: Ingest
    let journal: JournalKeeper?
    let keeper: SnapshotKeeper
    private let deadLetters: DeadLetterFile
    /// Nil in a daemon that answers no requests.
    let promoter: Promoter?
    let refiner: Refiner?
    let explorer: Explorer?
    /// What the watchdog has found.
    let vitals = Vitals()
    private let started = MonotonicClock.nanoseconds
    let startedAt = WallClock.milliseconds
    /// The past of what the dashboard draws, and what the sampler measures.
    let samples = SampleHistory()
    let learningDelays = DurationBuckets()
    let ranking: RankingSample
    /// The reply socket's counters; set once, when the socket exists.
    private let requestCounters = Lock<RequestCounters?>(nil)
    private let adminCounters = Lock<RequestCounters?>(nil)
    /// The HTTP side's; set once.
    private let httpCounters = Lock<HTTPCounters?>(nil)
    /// Who came in; set once where there are keys.
    private let access = Lock<Authenticator?>(nil)
    /// Set once.
    private let configurations = Lock<Reloader?>(nil)

    init(
        engine: Engine, streams: [StreamCounters], ingest: Ingest, journal: JournalKeeper?, keeper: SnapshotKeeper, deadLetters: DeadLetterFile,
        promoter: Promoter? = nil, refiner: Refiner? = nil, explorer: Explorer? = nil
    ) {
        self.engine = engine
        ranking = RankingSample(models: engine.models.count)
        self.streams = streams
        self.ingest = ingest
        self.journal = journal
        self.keeper = keeper
        self.deadLetters = deadLetters
        self.promoter = promoter
        self.refiner = refiner
        self.explorer = explorer
    }

    func attach(_ counters: RequestCounters, admin: RequestCounters, _ http: HTTPCounters) {
        requestCounters.withLock { $0 = counters }
        adminCounters.withLock { $0 = admin }
        httpCounters.withLock { $0 = http }
    }
    func attach(_ authenticator: Authenticator?, _ reloader: Reloader) {
        access.withLock { $0 = authenticator }
        configurations.withLock { $0 = reloader }
    }
    var requests: RequestCounters? { requestCounters.withLock { $0 } }
    var admin: RequestCounters? { adminCounters.withLock { $0 } }
    var http: HTTPCounters? { httpCounters.withLock { $0 } }
    var authenticator: Authenticator? { access.withLock { $0 } }
    var reloader: Reloader? { configurations.withLock { $0 } }

    func write(into writer: inout JSONWriter) {
        writer.beginObject()
        writer.member("position", engine.appliedPosition)
        writer.member("sequenced", engine.sequencer.lastPosition)
        writeDurability(&writer)
        writer.member("uptime_seconds", Double(MonotonicClock.nanoseconds - started) / 1e9)
        writeBuild(&writer)
        writeEvents(&writer)
        writeStreams(&writer)
        writeTrainers(&writer)
        writeModels(&writer)
        writeChoice(&writer)
        writeReplay(&writer)
        writeTables(&writer)
        writeSnapshot(&writer)
        writeRequests(&writer)
        writeAccess(&writer)
        writeProcess(&writer)
        samples.writeLast(into: &writer)
        writer.endObject()
    }

    private func writeEvents(_ writer: inout JSONWriter) {
        writer.key("events")
        writer.beginObject()
        writer.member("received", streams.reduce(0) { $0 + $1.records.load(ordering: .relaxed) })
        writer.member("accepted", engine.trainers.reduce(0) { $0 + $1.interactions })
        writer.member("rate", keeper.eventRate)
        writer.member("waits", ingest.waits.load(ordering: .relaxed))
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
        writer.key("refused")
        writer.beginObject()
        let refusals = engine.sequencer.refusals
        for reason in Sequencer.Refusal.allCases {
            writer.key(reason.rawValue)
            writer.value(refusals.first { $0.reason == reason }?.count ?? 0)
        }
        writer.endObject()
        let letters = deadLetters.counts
        writer.key("dead_letters")
        writer.beginObject()
        writer.member("written", UInt64(letters.written))
        writer.member("lost", UInt64(letters.lost))
        writer.endObject()
        writer.endObject()
    }

    private func writeStreams(_ writer: inout JSONWriter) {
        writer.key("streams")
        writer.beginArray()
        for stream in streams {
            writer.beginObject()
            writer.member("name", stream.name)
            writer.member("messages", stream.messages.load(ordering: .relaxed))
            writer.member("bytes", stream.bytes.load(ordering: .relaxed))
            writer.member("received", stream.records.load(ordering: .relaxed))
            writer.member("oversize", stream.oversize.load(ordering: .relaxed))
            writer.member("disconnects", stream.disconnects.load(ordering: .relaxed))
            writer.member("recreated", stream.recreated.load(ordering: .relaxed))
            writeRejections(stream, &writer)
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
            writer.member("queue_depth", trainer.queueDepth)
            writer.member("queue_capacity", trainer.queueCapacity)
            writer.member("applied", trainer.appliedPosition)
            writer.member("copies_handed_over", trainer.copiesHandedOver)
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
            writer.member("name", model.settings.name)
            writer.member("kind", model.settings.kind.rawValue)
            writer.member("rank", model.settings.rank)
            writer.member("loss", model.settings.loss.rawValue)
            writer.member("events", report.events)
            writer.member("row_updates", engine.rowUpdates(index))
            writer.member("clipped", caps.clipped)
            writer.member("rejected", caps.rejected)
            writer.member("refolded", engine.refolded(index))
            writer.member("refined", engine.refined(index))
            let drift = engine.drift(index)
            writer.key("drift")
            writer.beginObject()
            writer.member("alarms", drift.alarms)
            writer.member("last_position", drift.lastPosition)
            writer.endObject()
            writer.key("prequential")
            writer.beginArray()
            for measure in quality(index) where measure.value.isFinite { write(measure, &writer) }
            writer.endArray()
            writer.member("window_events", report.windowEvents)
            writeProof(engine.witness(index), &writer)
            writer.endObject()
        }
        writer.endArray()
    }

    /// A model's prequential metrics, always the same ones; NaN where nothing has been measured yet.
    func quality(_ index: Int) -> [PrequentialReport.Measure] {
        let settings = engine.models[index].settings
        let report = engine.prequential(index), late = settings.loss == .logistic ? ["auc", "calibration"] : ["auc"]
        // In an order that does not depend on what has been measured yet.
        var all = report.measures.filter { !late.contains($0.name) }
        for name in late { all.append(report[name] ?? PrequentialReport.Measure(name: name, value: .nan, recent: .nan, window: .nan)) }
        if RankingProbe.ranks(settings) {
            let ranking = ranking.report(index)
            func ranked(_ name: String, _ value: Double?, _ recent: Double?) {
                all.append(PrequentialReport.Measure(name: name, value: value ?? .nan, recent: recent ?? .nan, window: .nan))
            }
            ranked("hr@10", ranking?.hits, ranking?.recentHits)
            ranked("ndcg@10", ranking?.ndcg, ranking?.recentNDCG)
        }
        return all
    }

    private func write(_ measure: PrequentialReport.Measure, _ writer: inout JSONWriter) {
        writer.beginObject()
        writer.member("metric", measure.name)
        writer.member("value", measure.value)
        writer.member("recent", measure.recent)
        if measure.window.isFinite { writer.member("window", measure.window) }
        writer.endObject()
    }

    private func writeReplay(_ writer: inout JSONWriter) {
        let replay = engine.replay
        writer.key("replay")
        writer.beginObject()
        writer.member("capacity", replay.capacity)
        writer.member("held", replay.held)
        writer.member("replay_count", replay.replayed)
        writer.member("bytes", replay.bytes)
        writer.endObject()
    }

    private func writeTables(_ writer: inout JSONWriter) {
        let bytes = engine.bytes
        writer.key("tables")
        writer.beginObject()
        writer.member("users", engine.users.liveCount)
        writer.member("items", engine.items.liveCount)
        writer.member("hidden_items", engine.items.hiddenCount)
        writer.member("context_features", engine.contexts.count)
        writer.member("user_attributes", engine.userAttributes.count)
        writer.member("item_attributes", engine.itemAttributes.count)
        writer.member("bytes", bytes.ids + bytes.userItems + bytes.rows)
        writer.member("id_bytes", bytes.ids)
        writer.member("history_bytes", bytes.userItems)
        let histories = engine.histories
        writer.member("held_bytes", histories.held)
        writer.member("held_dropped", histories.dropped)
        writer.member("row_bytes", bytes.rows)
        writer.member("budget", engine.settings.memory.budget)
        writer.member("evictions", engine.evictions)
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
            writer.member("name", table.name)
            writer.member("ids", table.ids)
            writer.member("holes", table.holes)
            writer.member("id_bytes", table.idBytes)
            writer.member("row_bytes", table.rowBytes)
            writer.member("bytes_per_id", Double(table.idBytes) / rows)
            writer.member("bytes_per_row", Double(table.rowBytes) / rows)
            writer.endObject()
        }
        writer.endArray()
    }

    private func writeSnapshot(_ writer: inout JSONWriter) {
        writer.key("snapshot")
        writer.beginObject()
        writer.member("count", keeper.written.load(ordering: .relaxed))
        writer.member("failed", keeper.failed.load(ordering: .relaxed))
        if let newest = keeper.newest {
            writer.member("position", newest.position)
            writer.member("age_seconds", Double(MonotonicClock.nanoseconds - newest.finished) / 1e9)
            writer.member("bytes", newest.bytes)
            writer.member("exact", newest.isExact)
            writer.member("seconds", newest.seconds)
            writer.member("verify_seconds", newest.verifySeconds)
            writer.member("prune_seconds", newest.pruneSeconds)
            writer.member("pauses", newest.pauses.count)
            writer.member("pause_ms", newest.pauses.longestMilliseconds)
            writer.member("pause_p50_ms", newest.pauses.medianMilliseconds)
            writer.member("pause_p999_ms", newest.pauses.p999Milliseconds)
            writer.member("pause_total_ms", newest.pauses.totalMilliseconds)
        }
        writer.endObject()
    }
}
