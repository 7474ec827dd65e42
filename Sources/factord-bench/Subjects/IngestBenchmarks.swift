import CYardstick
import Factorization

/// Events through ZeroMQ into a daemon until they are learned, beside bare libzmq with the same bytes and beside learning
/// the same events in process.
func ingestBenchmarks(_ plan: Plan) -> [Benchmark] {
    let metrics = [Metric(name: "rate", unit: "events/s"), Metric(name: "processor time", unit: "µs/event", isRate: false)]
    return MessageForm.allCases.map { form in
        Benchmark("ingest/\(form.rawValue)", metrics) {
            let workload = Workload.shared(large: plan.isLarge, quick: plan.isQuick)
            let events = form == .single ? workload.events.prefix(plan.isQuick ? 200_000 : 500_000) : workload.events.prefix(1_000_000)
            let messages = Messages(form, events, valued: false)
            let daemon = try DaemonProcess(plan)
            let pusher = try Pusher(daemon.endpoints.events)
            let bare = "tcp://127.0.0.1:\(try freePort())"
            let puller = try Puller(bare), barePusher = try Pusher(bare)
            let count = Double(messages.eventCount)
            let engine = Engine(settings: EngineSettings(historyLength: 64))
            let batches = eventBatches(events, hashing: engine.hashing)
            return Prepared(
                sides: [
                    Side(name: "daemon") {
                        let before = try daemon.position()
                        let processor = try daemon.endpoints.process.map { try processorSeconds(of: $0) }
                        let time = try seconds {
                            try pusher.send(messages)
                            try daemon.wait(for: before + messages.eventCount)
                        }
                        let used = try daemon.endpoints.process.map { try processorSeconds(of: $0) }
                        return [count / time, used.map { ($0 - processor!) / count * 1e6 } ?? .nan]
                    },
                    Side(name: "bare libzmq") {
                        [count / (try seconds {
                            try barePusher.send(messages)
                            try puller.wait(more: messages.messageCount)
                        }), .nan]
                    },
                    Side(name: "engine in process") {
                        let time = seconds { for batch in batches { engine.learnNow(batch) } }
                        return [count / time, time / count * 1e6]
                    },
                ],
                notes: ["bytes_per_message": Double(messages.byteCount) / Double(messages.messageCount), "events": count])
        }
    }
}
