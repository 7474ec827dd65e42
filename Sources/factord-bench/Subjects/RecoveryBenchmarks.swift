import Factorization
import LinuxSystem
import StreamTools

/// How soon a daemon answers after a crash: 256 MiB of state, and a million events that its journal holds beyond the snapshot. Once
/// they came after it was written, and once while it was: then every event goes where its piece of the snapshot has it not.
func recoveryBenchmarks(_ plan: Plan) -> [Benchmark] {
    let mebibytes = 256, count = 1 << 20
    return [
        Benchmark("recovery/\(mebibytes) MiB, \(count) events", [Metric(name: "ready", unit: "s", isRate: false)]) {
            let daemon = try FullDaemon(
                plan, mebibytes: mebibytes, snapshot: "interval: 0s, on_shutdown: false, mode: gates, rate: 128MiB, keep: 1")
            // The same events in every round: what is there once more is no other work.
            let messages = Messages(.columnar, (daemon.events + daemon.events + daemon.events + daemon.events).prefix(count)[...], valued: false)
            return Prepared(
                sides: [
                    Side(name: "after the snapshot") { try daemon.measureRecovery(messages, during: false) },
                    Side(name: "while it was written") { try daemon.measureRecovery(messages, during: true) },
                ], notes: ["rows": Double(daemon.users), "events": Double(count)])
        }
    ]
}

extension FullDaemon {
    /// Seconds from a crash to the first answer.
    fileprivate func measureRecovery(_ messages: Messages, during: Bool) throws -> [Double] {
        let pusher = try Pusher(daemon.endpoints.events), position = try daemon.position()
        if during {
            let order = SnapshotOrder(daemon.admin), thread = try SystemThread(name: "snapshot") { order.run() }
            // In parts, so that they come all through the time that it takes.
            for message in 0..<messages.messageCount {
                try pusher.send(messages, message: message)
                if !order.isDone { MonotonicClock.sleep(microseconds: 2_000_000 / messages.messageCount) }
            }
            thread.join()
            if let failure = order.failure { throw BenchmarkError("no snapshot: \(failure)") }
        } else {
            _ = try daemon.admin?.call("snapshot")
            try pusher.send(messages)
        }
        try daemon.wait(for: position + messages.eventCount)
        return [try daemon.restartAfterCrash()]
    }
}
