import Factorization

/// What the journal costs: events through ZeroMQ into a daemon that journals them, made durable each second, beside one without.
/// Once with learning, which is what limits there, and once without, where every microsecond of the way in shows.
func journalBenchmarks(_ plan: Plan) -> [Benchmark] {
    [(MessageForm.columnar, true), (.columnar, false)].map { form, learns in
        Benchmark("journal/\(form.rawValue)\(learns ? "" : ", nothing learned")", "events/s") {
            let workload = Workload.shared(large: true, quick: true)
            let messages = Messages(form, workload.events.prefix(1_000_000), valued: false)
            let count = Double(messages.eventCount)
            let sides = try [true, false].map { journal in
                let daemon = try DaemonProcess(plan, learns: learns, journal: journal)
                let pusher = try Pusher(daemon.endpoints.events)
                return Side(name: journal ? "journal" : "no journal") {
                    let position = try daemon.position()
                    let time = try seconds {
                        try pusher.send(messages)
                        try daemon.wait(for: position + messages.eventCount)
                    }
                    return [count / time]
                }
            }
            return Prepared(sides: sides, notes: ["events": count])
        }
    }
}
