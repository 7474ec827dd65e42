import CYardstick
import Factorization

/// Events through ZeroMQ into a daemon until they are learned, beside bare libzmq with the same bytes and beside an engine
/// in this process, of the same settings, that gets the same events decoded.
///
/// 1M × 100k, Zipf. Processor time is that of the daemon as a whole, its answers to `ping` included; of bare libzmq that of
/// both ends; of the engine that of its one thread.
func ingestBenchmarks(_ plan: Plan) -> [Benchmark] {
    let metrics = [
        Metric(name: "rate", unit: "events/s"), Metric(name: "processor time", unit: "µs/event", isRate: false),
        Metric(name: "outside trainers", unit: "µs/event", isRate: false),
    ]
    let whole = MessageForm.allCases.map { (form: $0, learns: true) }
    // What a machine could take in that had processors enough for learning.
    let taking = plan.daemon == nil ? MessageForm.allCases.filter { $0.batch == 1 }.map { (form: $0, learns: false) } : []
    return (whole + taking).map { form, learns in
        Benchmark("ingest/\(form.rawValue)\(learns ? "" : ", nothing learned")", metrics) {
            let workload = Workload.sent(plan)
            let events = workload.events.prefix(plan.limited(form.batch == 1 && plan.isQuick ? 500_000 : 1_000_000))
            // Long enough for the clock: a round takes half a second or more.
            let passes = plan.events == nil ? 4 : 1
            let messages = Messages(form, events, valued: false)
            let daemon = try DaemonProcess(plan, learns: learns)
            let pusher = try Pusher(daemon.endpoints.events)
            let bare = "tcp://127.0.0.1:\(try freePort())"
            let puller = try Puller(bare), barePusher = try Pusher(bare)
            let count = Double(messages.eventCount * passes)
            return Prepared(
                sides: try [
                    Side(name: "daemon") {
                        let position = try daemon.position(), before = try daemon.processorSeconds()
                        let time = try seconds {
                            for _ in 0..<passes { try pusher.send(messages) }
                            try daemon.wait(for: position + messages.eventCount * passes)
                        }
                        let after = try daemon.processorSeconds()
                        return [count / time, (after.all - before.all) / count * 1e6, (after.others - before.others) / count * 1e6]
                    },
                    Side(name: "bare libzmq") {
                        let before = ownProcessorSeconds
                        let time = try seconds {
                            for _ in 0..<passes { try barePusher.send(messages) }
                            try puller.wait(more: messages.messageCount * passes)
                        }
                        return [count / time, (ownProcessorSeconds - before) / count * 1e6, .nan]
                    },
                ] + engineInProcess(plan, events, passes: passes),
                notes: ["bytes_per_message": Double(messages.byteCount) / Double(messages.messageCount), "events": count])
        }
    }
}

/// An engine with the settings of the daemons that are started; nobody knows those of one that runs already.
private func engineInProcess(_ plan: Plan, _ events: ArraySlice<yard_event>, passes: Int) throws -> [Side] {
    guard plan.daemon == nil else { return [] }
    let engine = try DaemonProcess.engine()
    let batches = eventBatches(events, valued: false, hashing: engine.hashing), count = Double(events.count * passes)
    return [
        Side(name: "engine in process") {
            var processor = 0.0
            let time = seconds {
                processor = threadSeconds { for _ in 0..<passes { for batch in batches { engine.learnNow(batch) } } }
            }
            return [count / time, processor / count * 1e6, .nan]
        }
    ]
}

extension DaemonProcess {
    /// Processor seconds of the daemon so far, in all and without its trainers; not numbers where it is not known.
    fileprivate func processorSeconds() throws -> (all: Double, others: Double) {
        guard let process = endpoints.process else { return (.nan, .nan) }
        let taken = try factord_bench.processorSeconds(of: process, threads: "trainer")
        return (taken.all, taken.all - taken.threads)
    }
}
