import Foundation
import StreamTools
import Testing
import ZeroMQ

/// Several models in one daemon: who answers whom, and how that changes.
@Suite("Models")
struct ModelTests {
    private static func json(_ text: String) -> JSONTree { (try? parsed(text)) ?? .null }

    /// A stream with tastes in it.
    private func events(_ count: Int, skipping: Int = 0) throws -> String {
        var simulation = try Simulation(SimulationSettings(seed: 5, users: 150, items: 200, topics: 6))
        for _ in 0..<skipping { _ = simulation.next() }
        return "[" + (0..<count).map { _ in
            let event = simulation.next()
            return #"{"user":"u\#(event.user)","item":"i\#(event.item)"}"#
        }.joined(separator: ",") + "]"
    }

    private func model(of user: String, _ client: RequestClient) throws -> String? {
        try client.call("recommend", ["user": .string(user), "n": 1])["model"]?.string
    }

    @Test("Models of other kinds, ranks and rates learn the same stream; metrics, proofs and answers are each one's own, also after a kill")
    func sideBySide() throws {
        let daemon = try DaemonProcess([
            "models.0.name=a", "models.1.name=b", "models.1.kind=fm", "models.1.rank=7", "models.1.optimizer.rate=0.02", "models.2.name=c",
            "models.2.loss=bpr", "threads.trainers=2", "state.journal.sync=always",
        ])
        let sender = try daemon.sender()
        try sender.deliver(eventsJSON(0..<3000))
        try daemon.wait(for: 3000)
        try daemon.snapshot()
        try sender.deliver(eventsJSON(3000..<5000))
        try daemon.wait(for: 5000)
        let before = try daemon.stats()["models"]?.array ?? []
        #expect(before.map { $0["name"]?.string } == ["a", "b", "c"])
        #expect(before.map { $0["prequential"]?.array?.first?["metric"]?.string } == ["log_loss", "log_loss", "pair_loss"])
        #expect(Set(before.compactMap { $0["prequential"]?.array?.first?["value"]?.number }).count == 3)
        for model in before { #expect(model["proof"] == before[0]["proof"] && model["events"]?.integer ?? 0 > 2000, "\(model.json.prefix(300))") }
        let client = try daemon.client()
        var scores: Set<String> = []
        for name in ["a", "b", "c"] {
            let answer = try client.call("score", ["user": "u1", "items": ["i1", "i2"], "model": .string(name)])
            #expect(answer["model"]?.string == name)
            scores.insert(answer["scores"]?.json ?? "")
        }
        #expect(scores.count == 3)
        #expect(try model(of: "u1", client) == "a")
        _ = try eventually { try daemon.stats()["durable"]?.integer == 5000 }
        try daemon.kill()
        try daemon.start()
        let after = try daemon.stats()["models"]?.array ?? []
        #expect(after.map { $0["proof"] } == before.map { $0["proof"] })
        #expect(try daemon.position() == 5000)
    }

    @Test("Users are dealt to models by their ids: shares hold, and each keeps its model over restarts and in other daemons")
    func split() throws {
        let settings = [
            "models.0.name=a", "models.1.name=b", "models.2.name=shadow", "experiment.name=summer", "experiment.split={a: 75, b: 25}",
        ]
        let daemon = try DaemonProcess(settings), other = try DaemonProcess(settings)
        let users = (0..<800).map { "u\($0)" }
        func models(_ daemon: DaemonProcess) throws -> [String] {
            let client = try daemon.client()
            return try users.map { try model(of: $0, client) ?? "none" }
        }
        let first = try models(daemon), share = first.count { $0 == "b" }
        // Five deviations around 200.
        #expect((139...261).contains(share) && Set(first) == ["a", "b"], "\(share)")
        try daemon.sender().deliver(eventsJSON(0..<500))
        try daemon.wait(for: 500)
        try daemon.restart()
        #expect(try models(daemon) == first)
        #expect(try models(other) == first)
        let client = try daemon.client()
        // A session stands for somebody without an id; scores go the same way; a name goes before all.
        for (user, model) in zip(users.prefix(40), first) {
            #expect(try client.call("score", ["user": .string(user), "items": ["i1"]])["model"]?.string == model)
            #expect(try client.call("score", ["user": .string(user), "items": ["i1"], "model": "shadow"])["model"]?.string == "shadow")
        }
    }

    @Test("A shadow model is promoted when the stream has shown that it is better, and not before; the promotion outlives kill -9")
    func promotion() throws {
        let daemon = try DaemonProcess([
            "models.0.name=a", "models.0.optimizer.rate=0.002", "models.1.name=b", "promotion.model=b", "promotion.minimum_events=3000",
        ])
        let sender = try daemon.sender(), client = try daemon.client(), admin = try daemon.adminClient()
        func refusal(_ parameters: JSONTree) throws -> (code: Int, message: String)? {
            do {
                let answer = try admin.call("promote", parameters)
                Issue.record("not refused: \(answer.json)")
            } catch StreamToolsError.refused(_, let code, let message) {
                return (code, message)
            }
            return nil
        }
        try sender.deliver(events(1000))
        try daemon.wait(for: 1000)
        #expect(try refusal(["model": "b"])?.message.contains("1000 events compared, of 3000 at least") == true)
        #expect(try refusal(["model": "a"])?.message.contains("answers by default already") == true)
        #expect(try refusal(["model": "x"])?.code == -32602)
        #expect(try model(of: "u1", client) == "a")
        try sender.deliver(events(19_000, skipping: 1000))
        try daemon.wait(for: 20_000)
        let evidence = try daemon.stats()["promotion"] ?? .null
        #expect(evidence["enough"]?.bool == true && evidence["events"]?.integer == 20_000, "\(evidence.json)")
        let promoted = try admin.call("promote", ["model": "b"])
        #expect(promoted["position"]?.integer == 20_001 && promoted["evidence"]?["model"]?.string == "b", "\(promoted.json)")
        #expect(try model(of: "u1", client) == "b")
        try daemon.kill()
        try daemon.start()
        #expect(try model(of: "u1", daemon.client()) == "b")
        // Now the other one is the challenger, and what was compared before says nothing of it.
        let turned = try daemon.stats()
        #expect(turned["answering"]?.string == "b" && turned["promoted_at"]?.integer == 20_001)
        #expect(turned["promotion"]?["model"]?.string == "a" && turned["promotion"]?["events"]?.integer == 0, "\(turned.json)")
        // And by a snapshot without the journal's help.
        try daemon.snapshot()
        try daemon.restart()
        #expect(try daemon.stats()["answering"]?.string == "b")
        #expect(try daemon.adminClient().call("promote", ["model": "a", "force": true])["evidence"]?["enough"]?.bool == false)
        #expect(try daemon.stats()["answering"]?.string == "a")
    }

    @Test("A daemon that may promotes by itself: the better shadow, and no broken one")
    func automatic() throws {
        for (rate, isPromoted) in [("0.07", true), ("0", false)] {
            let daemon = try DaemonProcess([
                "models.0.name=a", "models.0.optimizer.rate=0.002", "models.1.name=b", "models.1.optimizer.rate=\(rate)", "promotion.model=b",
                "promotion.minimum_events=3000", "promotion.automatic=true",
            ])
            try daemon.sender().deliver(events(20_000))
            try daemon.wait(for: 20_000)
            if isPromoted {
                let isSeen = try eventually { try daemon.stats()["answering"]?.string == "b" }
                let evidence = try daemon.stats()["promotion"]?.json
                #expect(isSeen, "\(evidence ?? "")")
                // It is said once it is done.
                #expect(eventually { daemon.log.contains("a model was promoted") }, "\(daemon.log)")
            } else {
                // The daemon looks once a second.
                Thread.sleep(forTimeInterval: 2.5)
                #expect(try daemon.stats()["answering"]?.string == "a")
            }
        }
    }

    @Test("Explored lists come with propensities and are noted in a file that forgetting erases from")
    func exploring() throws {
        let daemon = try DaemonProcess()
        try daemon.sender().deliver(eventsJSON(0..<3000))
        try daemon.wait(for: 3000)
        let client = try daemon.client()
        #expect(try client.call("recommend", ["user": "u1"])["explore"] == nil)
        let asked: JSONTree = ["user": "u1", "n": 5, "exclude_seen": false, "explore": ["method": "epsilon", "epsilon": 0.5, "seed": 7]]
        let answer = try client.call("recommend", asked)
        #expect(answer["items"]?.array?.count == 5 && answer["explore"]?["seed"]?.integer == 7 && answer["explore"]?["candidates"]?.integer == 80)
        #expect(answer["items"]?.array?.allSatisfy { (0.0...1).contains($0["propensity"]?.number ?? -1) } == true, "\(answer.json)")
        #expect(try client.call("recommend", asked)["items"] == answer["items"])
        let drawn = try client.call("recommend", ["user": "u2", "n": 3, "explore": ["method": "thompson", "scale": 1]])
        #expect(drawn["explore"]?["estimated"]?.bool == true && drawn["items"]?.array?.count == 3, "\(drawn.json)")
        for bad in [#"{"method":"dice"}"#, #"{"method":"epsilon","epsilon":2}"#, #"{"method":"epsilon","seed":-1}"#, "true"] {
            #expect(throws: StreamToolsError.self) { try client.call("recommend", ["user": "u1", "explore": Self.json(bad)]) }
        }
        let file = daemon.state + "/explorations/explorations.jsonl"
        func lines() -> [JSONTree] {
            String(decoding: FileManager.default.contents(atPath: file) ?? Data(), as: UTF8.self).split(separator: "\n").map { Self.json(String($0)) }
        }
        #expect(eventually { lines().count == 3 })
        #expect(lines().first?["items"] == answer["items"] && lines().first?["user"]?.string == "u1" && lines().first?["model"]?.string == "main")
        #expect(try daemon.stats()["exploration"]?["explored"]?.integer == 3)
        let erased = try daemon.adminClient().call("forget", ["user": "u2", "erase": true])
        #expect(erased["erased"]?["explorations"]?.integer == 1)
        #expect(lines().map { $0["user"]?.string } == ["u1", "u1"])
        #expect(try FileManager.default.attributesOfItem(atPath: file)[.posixPermissions] as? Int == 0o600)
    }

    @Test("Exploring can be the default, which a request may leave")
    func exploringByDefault() throws {
        let daemon = try DaemonProcess(["exploration.method=epsilon", "exploration.epsilon=1", "exploration.log.enabled=false"])
        try daemon.sender().deliver(eventsJSON(0..<3000))
        try daemon.wait(for: 3000)
        let client = try daemon.client()
        func items(_ parameters: JSONTree) throws -> String { try client.call("recommend", parameters)["items"]?.json ?? "" }
        let lists = try Set((0..<5).map { _ in try items(["user": "u1", "exclude_seen": false]) })
        #expect(lists.count == 5, "each request has a seed of its own")
        #expect(try items(["user": "u1", "explore": ["method": "none"]]) == items(["user": "u1", "explore": ["method": "none"]]))
        #expect(!FileManager.default.fileExists(atPath: daemon.state + "/explorations"))
    }
}
