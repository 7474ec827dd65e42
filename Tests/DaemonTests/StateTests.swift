import Foundation
import Glibc
import StreamTools
import Testing
import ZeroMQ

/// What lies on disk: taken up again whole, whatever happened in between.
@Suite("State")
struct StateTests {
    private let users = (0..<50).map { "u\($0)" }
    private let items = (0..<80).map { "i\($0)" }

    @Test("A restart answers exactly as before, and positions go on", arguments: [["model.kind=mf"], ["model.kind=fm", "threads.trainers=2"]])
    func restart(_ settings: [String]) throws {
        let daemon = try DaemonProcess(settings)
        let sender = try daemon.sender()
        try sender.deliver(eventsJSON(0..<5000))
        try daemon.wait(for: 5000)
        let before = try daemon.opinion(of: users, items: items)
        #expect(Set(before.map(\.json)).count > 50, "all answers are alike: nothing was learned")
        #expect(try daemon.snapshot() == 5000)
        // kill -9: what the snapshot holds is what comes back.
        try daemon.kill()
        try daemon.start()
        #expect(try daemon.position() == 5000)
        #expect(try daemon.opinion(of: users, items: items) == before)

        // Positions that the killed process may have told are given to nothing else.
        try sender.deliver(eventsJSON(5000..<6000))
        let isLearned = try eventually { try daemon.stats()["events"]?["accepted"]?.integer == 1000 }
        #expect(isLearned)
        let later = try daemon.opinion(of: users, items: items), position = try daemon.position()
        #expect(later != before && position > 6000)
        // And a clean stop saves what no snapshot held yet.
        try daemon.restart()
        #expect(try daemon.position() == position)
        #expect(try daemon.opinion(of: users, items: items) == later)
    }

    @Test("The timer writes snapshots, only when something was learned, and keeps as many as it should")
    func timer() throws {
        let daemon = try DaemonProcess(["state.snapshot.interval=100ms", "state.snapshot.keep=2", "state.snapshot.on_shutdown=false"])
        let sender = try daemon.sender()
        for round in 1...3 {
            try sender.deliver(eventsJSON(round * 100..<(round + 1) * 100))
            let isSaved = try eventually { try daemon.stats()["snapshot"]?["position"]?.integer == round * 100 }
            #expect(isSaved, "round \(round): \(daemon.log)")
        }
        #expect(try daemon.stats()["snapshot"]?["count"]?.integer == 3)
        #expect(try daemon.snapshotNames().count == 2)
        try sender.deliver(eventsJSON(0..<50))
        try daemon.wait(for: 350)
        #expect(try daemon.stop() == .exited(0))
        #expect(!daemon.log.contains("final snapshot"))
    }

    @Test("kill -9 at any moment of snapshots under load leaves a state at or past the last one that was acknowledged")
    func killDuringSnapshots() throws {
        let daemon = try DaemonProcess(["threads.trainers=2", "state.snapshot.keep=2"])
        var (random, seed) = seededRandom("kill -9 during snapshots")
        var acknowledged = 0, total = 0
        for round in 0..<30 {
            let sender = try daemon.sender()
            let admin = try RawClient(to: daemon.admin, daemon.context)
            for batch in 0..<20 { try sender.deliver(columnarFrames(batch * 500..<(batch + 1) * 500)) }
            for id in 0..<50 { try admin.send(RequestTests.request("snapshot", id: "\(id)")) }
            // The first is waited for in most rounds, so that there is something to lose.
            if round % 4 != 0, let answer = try admin.answer() { acknowledged = try snapshotPosition(answer, above: acknowledged, &total) }
            usleep(UInt32(random.below(40_000)))
            daemon.program?.signal(SIGKILL)
            #expect(try daemon.program?.wait() == .killed(signal: SIGKILL))
            // Answers that were on their way count as well: they were acknowledged before the end.
            while let answer = try admin.answer(seconds: 0.02) { acknowledged = try snapshotPosition(answer, above: acknowledged, &total) }
            try sender.setLinger(milliseconds: 0)
            sender.close()
            admin.socket.close()
            try daemon.start()
            let position = try daemon.position()
            #expect(position >= acknowledged, "seed \(seed), round \(round): at \(position), but \(acknowledged) was acknowledged")
            #expect(!daemon.log.contains("passed over"), "round \(round): \(daemon.log)")
        }
        #expect(total > 20, "only \(total) snapshots were acknowledged in 30 rounds")
        #expect(acknowledged > 0)
        // What a kill left behind would stay; the last daemon may be writing a snapshot of its own.
        let isClean = try eventually { try FileManager.default.contentsOfDirectory(atPath: daemon.snapshots).allSatisfy { !$0.hasSuffix(".tmp") } }
        #expect(isClean)
    }

    private func snapshotPosition(_ answer: JSONTree, above last: Int, _ total: inout Int) throws -> Int {
        guard let position = answer["result"]?["position"]?.integer else { throw Unexpected("a snapshot failed: \(answer.json)") }
        total += 1
        #expect(position >= last, "snapshots went back from \(last) to \(position)")
        return position
    }

    @Test("Any byte of the newest snapshot flipped: reported, set aside, and the one before is used")
    func flippedByte() throws {
        // Without a journal, which would make up for what the older snapshot lacks.
        let daemon = try DaemonProcess(["state.snapshot.on_shutdown=false", "state.journal.enabled=false"])
        let sender = try daemon.sender()
        try sender.deliver(eventsJSON(0..<1000))
        try daemon.wait(for: 1000)
        try daemon.snapshot()
        let older = try daemon.opinion(of: users, items: items)
        try sender.deliver(eventsJSON(1000..<2000))
        try daemon.wait(for: 2000)
        try daemon.snapshot()
        try daemon.stop()

        let newest = try #require(try daemon.snapshotNames().last)
        let path = daemon.snapshots + "/" + newest
        let good = try #require(FileManager.default.contents(atPath: path))
        var places = [0, 9, 17, 40, good.count - 1, good.count - 9, good.count / 2]
        var (random, seed) = seededRandom("flipped byte")
        places += (0..<5).map { _ in random.below(good.count) }
        for place in places {
            var bad = good
            bad[place] ^= UInt8(1 << random.below(8))
            try bad.write(to: URL(fileURLWithPath: path))
            try daemon.start()
            #expect(try daemon.position() == 1000, "seed \(seed), byte \(place) of \(good.count)")
            #expect(daemon.log.contains("passed over") && daemon.log.contains(newest), "byte \(place): \(daemon.log)")
            #expect(try daemon.opinion(of: users, items: items) == older, "byte \(place)")
            try daemon.stop()
            let quarantine = daemon.snapshots + "/quarantine"
            #expect(FileManager.default.contents(atPath: quarantine + "/" + newest) == bad, "byte \(place)")
            #expect(!FileManager.default.fileExists(atPath: path))
            try FileManager.default.removeItem(atPath: quarantine)
        }
        // Put back unharmed, it is good: the damage was what was found.
        try good.write(to: URL(fileURLWithPath: path))
        try daemon.start()
        #expect(try daemon.position() == 2000)
    }

    @Test("State and configuration that do not go together: status 78, naming the key; set back, it starts")
    func changedConfiguration() throws {
        let daemon = try DaemonProcess()
        try daemon.sender().deliver(eventsJSON(0..<300))
        try daemon.wait(for: 300)
        #expect(try daemon.stop() == .exited(0))
        let changes = [
            "models[0].rank=7", "models[0].kind=fm", "models[0].loss=squared", "models[0].seed=9", "models[0].name=other",
            "models[0].optimizer.kind=adagrad", "ids=exact", "history.seen_limit=5",
        ]
        for change in changes {
            daemon.settings = [change]
            #expect(try daemon.launch().wait(seconds: 20) == .exited(78), "\(change)")
            let key = change.prefix { $0 != "=" }
            #expect(daemon.log.contains("cannot start") && daemon.log.contains(key), "\(change): \(daemon.log)")
        }
        daemon.settings = ["models.1.rank=4"]
        #expect(try daemon.launch().wait(seconds: 20) == .exited(78))
        #expect(daemon.log.contains("models[1]"), "\(daemon.log)")
        // Threads may change freely.
        daemon.settings = ["threads.trainers=3", "threads.receivers=2", "models.0.optimizer.rate=0.2"]
        try daemon.start()
        #expect(try daemon.position() == 300)
    }

    @Test("A model's name may be as long as the configuration allows")
    func longName() throws {
        let daemon = try DaemonProcess(["models.0.name=\(String(repeating: "n", count: 64))", "model.kind=fm"])
        try daemon.sender().deliver(eventsJSON(0..<300))
        try daemon.wait(for: 300)
        #expect(try daemon.snapshot() == 300)
        try daemon.restart()
        #expect(try daemon.position() == 300)
    }

    @Test("The state's folders and files are for the daemon's user only")
    func privacy() throws {
        let daemon = try DaemonProcess()
        try daemon.snapshot()
        for path in [daemon.snapshots, daemon.state + "/dead-letters"] {
            #expect(try permissions(of: path) == 0o700, "\(path)")
        }
        for name in try daemon.snapshotNames() { #expect(try permissions(of: daemon.snapshots + "/" + name) == 0o600, "\(name)") }
    }
}

/// The mode bits of a file.
func permissions(of path: String) throws -> Int {
    try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int ?? -1
}

/// Random numbers that a test prints the seed of: the same in every run, or those of `FACTORD_TEST_SEED`.
func seededRandom(_ test: String) -> (RandomSource, seed: UInt64) {
    let seed = ProcessInfo.processInfo.environment["FACTORD_TEST_SEED"].flatMap(UInt64.init) ?? 1
    print("\(test): FACTORD_TEST_SEED=\(seed)")
    return (RandomSource(seed: seed), seed)
}
