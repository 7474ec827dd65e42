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
            let workload = Workload.shared(large: true, quick: true)
            let events = workload.events.prefix(form.batch == 1 && plan.isQuick ? 500_000 : 1_000_000)
            let messages = Messages(form, events, valued: false)
            let daemon = try DaemonProcess(plan, learns: learns)
            let pusher = try Pusher(daemon.endpoints.events)
            let bare = "tcp://127.0.0.1:\(try freePort())"
            let puller = try Puller(bare), barePusher = try Pusher(bare)
            let count = Double(messages.eventCount)
            let engine = try DaemonProcess.engine()
            let batches = eventBatches(events, valued: false, hashing: engine.hashing)
            return Prepared(
                sides: [
                    Side(name: "daemon") {
                        let position = try daemon.position(), before = try daemon.processorSeconds()
                        let time = try seconds {
                            try pusher.send(messages)
                            try daemon.wait(for: position + messages.eventCount)
                        }
                        let after = try daemon.processorSeconds()
                        return [count / time, (after.all - before.all) / count * 1e6, (after.others - before.others) / count * 1e6]
                    },
                    Side(name: "bare libzmq") {
                        let before = ownProcessorSeconds
                        let time = try seconds {
                            try barePusher.send(messages)
                            try puller.wait(more: messages.messageCount)
                        }
                        return [count / time, (ownProcessorSeconds - before) / count * 1e6, .nan]
                    },
                    Side(name: "engine in process") {
                        var processor = 0.0
                        let time = seconds { processor = threadSeconds { for batch in batches { engine.learnNow(batch) } } }
                        return [count / time, processor / count * 1e6, .nan]
                    },
                ],
                notes: ["bytes_per_message": Double(messages.byteCount) / Double(messages.messageCount), "events": count])
        }
    }
}

extension DaemonProcess {
    /// Processor seconds of the daemon so far, in all and without its trainers; not numbers where it is not known.
    fileprivate func processorSeconds() throws -> (all: Double, others: Double) {
        guard let process = endpoints.process else { return (.nan, .nan) }
        let taken = try factord_bench.processorSeconds(of: process, threads: "trainer")
        return (taken.all, taken.all - taken.threads)
    }
}
