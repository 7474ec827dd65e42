import Foundation
import Glibc
import StreamTools
import Testing
import ZeroMQ

/// The journal of a daemon: what it learned comes back, whatever happened; what cannot come back is said.
@Suite("Journal")
struct DaemonJournalTests {
    private let users = (0..<50).map { "u\($0)" }
    private let items = (0..<80).map { "i\($0)" }

    private func segments(_ daemon: DaemonProcess) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: daemon.state + "/journal").filter { $0.hasPrefix("journal-") }.sorted()
    }

    private func accepted(_ daemon: DaemonProcess) throws -> Int { try daemon.stats()["events"]?["accepted"]?.integer ?? 0 }

    /// Sends events, and waits until they are learned.
    private func learnOnly(_ daemon: DaemonProcess, _ sender: ZeroMQSocket, _ range: Range<Int>) throws {
        let before = try accepted(daemon)
        try sender.deliver(eventsJSON(range))
        guard try eventually({ try accepted(daemon) == before + range.count }) else { throw Unexpected("events were not learned:\n\(daemon.log)") }
    }

    /// The same, and until they are durable.
    private func learn(_ daemon: DaemonProcess, _ sender: ZeroMQSocket, _ range: Range<Int>) throws {
        try learnOnly(daemon, sender, range)
        let isDurable = try eventually { () -> Bool in
            let stats = try daemon.stats()
            return stats["durable"]?.integer == stats["sequenced"]?.integer
        }
        if !isDurable { throw Unexpected("events did not become durable:\n\(daemon.log)") }
    }

    @Test("What no snapshot holds comes back from the journal, bit for bit with one trainer", arguments: [false, true])
    func replay(hasSnapshot: Bool) throws {
        let daemon = try DaemonProcess(["state.journal.interval=20ms", "state.snapshot.interval=0s"])
        let sender = try daemon.sender()
        try learn(daemon, sender, 0..<3000)
        if hasSnapshot { #expect(try daemon.snapshot() == 3000) }
        try sender.deliver(#"{"entity":"item","id":"i3","attributes":{"genre":["a","b"]}}"#)
        try sender.deliver(#"{"hide":{"item":"i5"}}"#)
        try sender.deliver(#"{"undo":{"user":"u1","item":"i7"}}"#)
        try sender.deliver(#"{"forget":{"user":"u2"}}"#)
        try sender.deliver(#"{"user":"u3","item":"i4","value":0.5,"weight":2,"context":{"hour":13,"day":["mo","tu"]},"time":1700000000,"type":"buy"}"#)
        let isTaken = try eventually { try accepted(daemon) == 3001 }
        #expect(isTaken)
        try learn(daemon, sender, 3000..<4000)
        let before = try daemon.opinion(of: users, items: items), position = try daemon.position()
        for _ in 0..<2 {
            try daemon.kill()
            try daemon.start()
            #expect(daemon.log.contains("journal replayed"))
            #expect(try daemon.position() == position)
            #expect(try daemon.opinion(of: users, items: items) == before)
        }
    }

    @Test("A damaged snapshot costs nothing: the one before it and the journal give the same")
    func fallBack() throws {
        let daemon = try DaemonProcess(["state.journal.interval=20ms", "state.snapshot.interval=0s"])
        let sender = try daemon.sender()
        try learn(daemon, sender, 0..<1000)
        try daemon.snapshot()
        try learn(daemon, sender, 1000..<2000)
        try daemon.snapshot()
        try learn(daemon, sender, 2000..<2500)
        let before = try daemon.opinion(of: users, items: items)
        try daemon.kill()
        for name in try daemon.snapshotNames() {
            let path = daemon.snapshots + "/" + name
            var bytes = try #require(FileManager.default.contents(atPath: path))
            bytes[bytes.count / 2] ^= 4
            try bytes.write(to: URL(fileURLWithPath: path))
        }
        try daemon.start()
        #expect(daemon.log.contains("passed over"))
        #expect(try daemon.opinion(of: users, items: items) == before)
    }

    @Test("Segments go once every snapshot that is kept is past them")
    func retention() throws {
        let daemon = try DaemonProcess(["state.journal.segment_bytes=1MiB", "state.snapshot.interval=0s", "state.snapshot.keep=2"])
        let sender = try daemon.sender()
        for _ in 0..<3 {
            for batch in 0..<20 { try sender.deliver(columnarFrames(batch * 4000..<(batch + 1) * 4000)) }
            let received = try daemon.client().receivedRecords()
            _ = try daemon.client().waitUntilIdle(received: received)
        }
        #expect(try daemon.client().waitUntilIdle(received: 240_000) != nil)
        let isWritten = try eventually { try segments(daemon).count >= 4 }
        #expect(isWritten)
        try daemon.snapshot()
        try sender.deliver(eventsJSON(0..<10))
        try daemon.wait(for: 240_010)
        try daemon.snapshot()
        #expect(try segments(daemon).count == 1)
    }

    @Test("Changed settings: the old state is brought up to date under the old ones, and then goes on under the new")
    func changedSettings() throws {
        let daemon = try DaemonProcess(["state.journal.interval=20ms", "state.snapshot.interval=0s", "models.0.optimizer.rate=0.05"])
        let sender = try daemon.sender()
        try learn(daemon, sender, 0..<2000)
        let first = try daemon.opinion(of: users, items: items)
        try daemon.kill()
        daemon.settings[2] = "models.0.optimizer.rate=0.3"
        try daemon.start()
        #expect(daemon.log.contains("settings have changed") && daemon.log.contains("rate_user: 0.3"), "\(daemon.log)")
        #expect(try daemon.opinion(of: users, items: items) == first)
        #expect(try daemon.snapshotNames().count == 1)
        try learn(daemon, sender, 2000..<3000)
        let second = try daemon.opinion(of: users, items: items)
        try daemon.kill()
        try daemon.start()
        #expect(try daemon.opinion(of: users, items: items) == second)
        // Without any snapshot, from the journal alone: through both settings.
        try daemon.kill()
        for name in try daemon.snapshotNames() { try FileManager.default.removeItem(atPath: daemon.snapshots + "/" + name) }
        try daemon.start()
        #expect(try daemon.opinion(of: users, items: items) == second)
        // What cannot change is named, with what to do, also where only the journal knows of it.
        try daemon.kill()
        for name in try daemon.snapshotNames() { try FileManager.default.removeItem(atPath: daemon.snapshots + "/" + name) }
        daemon.settings.append("models.0.rank=7")
        #expect(try daemon.launch().wait(seconds: 20) == .exited(78))
        #expect(daemon.log.contains("models[0].rank") && daemon.log.contains("mv \(daemon.state)"), "\(daemon.log)")
    }

    @Test("A journal switched off is replayed once more and then left alone; switched on again, nothing is taken twice")
    func switched() throws {
        let daemon = try DaemonProcess(["state.journal.interval=20ms", "state.snapshot.interval=0s", "state.journal.enabled=true"])
        let sender = try daemon.sender()
        try learn(daemon, sender, 0..<1000)
        try daemon.kill()
        daemon.settings[2] = "state.journal.enabled=false"
        try daemon.start()
        #expect(try daemon.position() == 1000)
        #expect(try daemon.snapshotNames().count == 1)
        try learnOnly(daemon, sender, 1000..<1500)
        let before = try daemon.opinion(of: users, items: items)
        #expect(try daemon.stop() == .exited(0))
        daemon.settings[2] = "state.journal.enabled=true"
        try daemon.start()
        #expect(try daemon.opinion(of: users, items: items) == before)
        try learn(daemon, sender, 1500..<2000)
        let later = try daemon.opinion(of: users, items: items)
        try daemon.kill()
        try daemon.start()
        #expect(try daemon.opinion(of: users, items: items) == later)
    }

    @Test("A torn tail is cut; damage before it is refused with status 65 and how to repair, which then lets it start")
    func damage() throws {
        let daemon = try DaemonProcess(["state.journal.interval=10ms", "state.snapshot.interval=0s"])
        let sender = try daemon.sender()
        for part in 0..<20 { try learn(daemon, sender, part * 100..<(part + 1) * 100) }
        try daemon.kill()
        let path = daemon.state + "/journal/" + (try #require(try segments(daemon).last))
        let good = try #require(FileManager.default.contents(atPath: path))
        let end = try #require(good.lastIndex { $0 != 0 }) + 1
        try good[..<(end - 5)].write(to: URL(fileURLWithPath: path))
        try daemon.start()
        #expect(daemon.log.contains("torn tail"))
        #expect(try daemon.position() == 1900)
        try daemon.kill()

        var bad = good
        bad[good.startIndex + 4096 + 3000] ^= 1
        for name in try segments(daemon) { try FileManager.default.removeItem(atPath: daemon.state + "/journal/" + name) }
        try bad.write(to: URL(fileURLWithPath: path))
        #expect(try daemon.launch().wait(seconds: 20) == .exited(65), "\(daemon.log)")
        #expect(daemon.log.contains("factorctl journal repair"), "\(daemon.log)")
        let list = try RunningProgram("factorctl", ["journal", "list", "--state", daemon.state], logs: daemon.folder)
        #expect(try list.wait() != .exited(0))
        let repair = try RunningProgram("factorctl", ["journal", "repair", "--state", daemon.state], logs: daemon.folder)
        #expect(try repair.wait() == .exited(0), "\(repair.standardError)")
        #expect(repair.standardOutput.contains("lost"), "\(repair.standardOutput)")
        try daemon.start()
        let position = try daemon.position()
        #expect(position > 0 && position < 1900, "\(position)")
        let busy = try RunningProgram("factorctl", ["journal", "repair", "--state", daemon.state], logs: daemon.folder)
        #expect(try busy.wait() != .exited(0))
        #expect(busy.standardError.contains("in use"), "\(busy.standardError)")
    }

    @Test("Loss on pull streams is known: gaps, what comes late or twice, and a lost tail by a beat")
    func losses() throws {
        let daemon = try DaemonProcess()
        let sender = try daemon.sender()
        for seq in [1, 2, 3, 7, 8, 5, 8, 9] { try sender.deliver(#"{"user":1,"item":"i\#(seq)","source":"p","epoch":1,"seq":\#(seq)}"#) }
        try sender.deliver(#"{"beat":{"source":"p","epoch":1,"last_seq":12}}"#)
        let isSeen = try eventually { try daemon.stats()["streams"]?.array?.first?["losses"]?["missing"]?.integer == 5 }
        let losses = try daemon.stats()["streams"]?.array?.first?["losses"]
        #expect(isSeen, "\(losses?.json ?? "")")
        #expect(losses?["gaps"]?.integer == 2 && losses?["reordered"]?.integer == 1 && losses?["duplicates"]?.integer == 1, "\(losses?.json ?? "")")
        #expect(losses?["last_gap"]?["first"]?.integer == 10 && losses?["last_gap"]?["last"]?.integer == 12)
        let isTold = eventually { daemon.log.contains("messages are missing") && daemon.log.contains("10-12") }
        #expect(isTold, "\(daemon.log)")
    }

    @Test("forget --erase leaves no file that names the id, and all else as it was")
    func erase() throws {
        let daemon = try DaemonProcess(["state.journal.interval=10ms", "state.snapshot.interval=0s"])
        let sender = try daemon.sender()
        let id = "somebody-to-forget"
        try sender.deliver(#"[{"user":"\#(id)","item":"i1"},{"user":"\#(id)","item":"i2"},{"user":"u1","item":"i1"}]"#)
        try daemon.wait(for: 3)
        try daemon.snapshot()
        try sender.deliver(#"{"user":"\#(id)"}"#)
        try sender.deliver(#"{"user":"another"}"#)
        try learn(daemon, sender, 0..<200)
        func holders() throws -> [String] {
            let files = try #require(FileManager.default.enumerator(atPath: daemon.state)).compactMap { $0 as? String }
            return files.filter { FileManager.default.contents(atPath: daemon.state + "/" + $0)?.range(of: Data(id.utf8)) != nil }
        }
        let isWritten = try eventually { try holders().contains { $0.hasPrefix("dead-letters") } }
        #expect(isWritten)
        let before = try holders()
        #expect(before.contains { $0.hasPrefix("journal") } && before.contains { $0.hasPrefix("snapshots") }, "\(before)")
        let forgetting = try RunningProgram("factorctl", ["forget", id, "--erase", "--admin", daemon.admin], logs: daemon.folder)
        #expect(try forgetting.wait() == .exited(0), "\(forgetting.standardError)")
        #expect(forgetting.standardOutput.contains("erased"))
        #expect(try holders() == [])
        let letters = String(decoding: FileManager.default.contents(atPath: daemon.state + "/dead-letters/dead-letters.jsonl") ?? Data(), as: UTF8.self)
        #expect(letters.contains("another"))
        try learn(daemon, sender, 200..<300)
        let opinion = try daemon.opinion(of: users, items: items)
        try daemon.kill()
        try daemon.start()
        #expect(try holders() == [])
        #expect(try daemon.opinion(of: users, items: items) == opinion)
    }
}
