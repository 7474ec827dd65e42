import Foundation
import Glibc
import StreamTools
import Testing
import ZeroMQ

/// Acknowledged streams: what was answered is kept, once.
@Suite("Acknowledged streams")
struct AcknowledgedTests {
    static let settings = ["streams.0.pattern=acknowledged", "state.snapshot.interval=0s"]

    /// A message of events whose items nobody else names.
    static func message(_ source: String, epoch: Int = 1, seq: Int, events: Int = 3) -> String {
        let rest = (1..<max(1, events)).map { #",{"user":"u\#((seq + $0) % 20)","item":"\#(source)-\#(epoch)-\#(seq)-\#($0)"}"# }.joined()
        return #"[{"source":"\#(source)","epoch":\#(epoch),"seq":\#(seq),"user":"u\#(seq % 20)","item":"\#(source)-\#(epoch)-\#(seq)-0"}\#(rest)]"#
    }

    static func items(_ source: String, epoch: Int = 1, seqs: some Sequence<Int>, events: Int = 3) -> [String] {
        seqs.flatMap { seq in (0..<events).map { "\(source)-\(epoch)-\(seq)-\($0)" } }
    }

    private func status(_ answer: JSONTree) -> String { answer["status"]?.string ?? answer.json }

    @Test("Answered, then kill -9: all of it is there, told apart from what is sent again, and numbers go on", arguments: ["interval", "never", "always"])
    func kill(sync: String) throws {
        let daemon = try DaemonProcess(AcknowledgedTests.settings + ["state.journal.sync=\(sync)", "state.journal.group_commit=1ms"])
        let publisher = try RawClient(to: daemon.events, daemon.context)
        for seq in 1...40 {
            let answer = try publisher.ask(AcknowledgedTests.message("p", seq: seq))
            #expect(status(answer) == "ok" && answer["seq"]?.integer == seq && answer["source"]?.string == "p", "\(answer.json)")
            #expect(answer["position"]?.integer ?? 0 >= 3 * seq)
        }
        try daemon.kill()
        try daemon.start()
        #expect(try daemon.unknown(among: AcknowledgedTests.items("p", seqs: 1...40)) == [])
        #expect(try daemon.stats()["events"]?["accepted"]?.integer == 120)
        #expect(try status(publisher.ask(AcknowledgedTests.message("p", seq: 40))) == "duplicate")
        #expect(try status(publisher.ask(AcknowledgedTests.message("p", seq: 1))) == "duplicate")
        let ahead = try publisher.ask(AcknowledgedTests.message("p", seq: 43))
        #expect(status(ahead) == "expected" && ahead["expected"]?.integer == 41)
        #expect(try status(publisher.ask(AcknowledgedTests.message("p", seq: 41))) == "ok")
        #expect(try daemon.stop() == .exited(0))
        // From the snapshot too.
        try daemon.start()
        #expect(try status(publisher.ask(AcknowledgedTests.message("p", seq: 41))) == "duplicate")
        #expect(try status(publisher.ask(AcknowledgedTests.message("p", seq: 42))) == "ok")
        #expect(try daemon.unknown(among: AcknowledgedTests.items("p", seqs: 1...42)) == [])
    }

    @Test("Each way in which a message is not taken has its answer; REQ clients and topics are served too")
    func answers() throws {
        let daemon = try DaemonProcess(AcknowledgedTests.settings)
        let publisher = try RawClient(to: daemon.events, daemon.context)
        #expect(try status(publisher.ask(AcknowledgedTests.message("p", epoch: 5, seq: 1))) == "ok")
        let old = try publisher.ask(AcknowledgedTests.message("p", epoch: 4, seq: 1))
        #expect(status(old) == "rejected" && old["reasons"]?["old_epoch"]?.integer == 1, "\(old.json)")
        let unnumbered = try publisher.ask(#"{"user":1,"item":2}"#)
        #expect(status(unnumbered) == "rejected" && unnumbered["reasons"]?["bad_numbering"]?.integer == 1, "\(unnumbered.json)")
        let malformed = try publisher.ask(#"{"user":1,"#)
        #expect(status(malformed) == "rejected" && malformed["reasons"]?["malformed_json"]?.integer == 1, "\(malformed.json)")
        // Bad records inside a good message: set aside and counted, the others taken.
        let mixed = try publisher.ask(#"[{"source":"p","epoch":5,"seq":2,"user":1,"item":"good"},{"user":1},{"user":null,"item":3},{"user":2,"item":"also"}]"#)
        #expect(status(mixed) == "ok" && mixed["reasons"]?["missing_item"]?.integer == 1 && mixed["reasons"]?["missing_user"]?.integer == 1, "\(mixed.json)")
        #expect(try daemon.unknown(among: ["good", "also"]) == [])
        let beat = try publisher.ask(#"{"beat":{"source":"p","epoch":5,"last_seq":9}}"#)
        #expect(status(beat) == "expected" && beat["expected"]?.integer == 3, "\(beat.json)")
        // A message of bad records only is done with.
        let empty = try publisher.ask(#"{"source":"p","epoch":5,"seq":3,"user":1}"#)
        #expect(status(empty) == "ok" && empty["reasons"]?["missing_item"]?.integer == 1, "\(empty.json)")

        let request = try RawClient(.req, to: daemon.events, daemon.context)
        #expect(try status(request.ask(AcknowledgedTests.message("req", seq: 1))) == "ok")
        #expect(try status(request.ask(AcknowledgedTests.message("req", seq: 2))) == "ok")
        // With a topic, and without the delimiter.
        let bare = try RawClient(to: daemon.events, daemon.context)
        try bare.socket.deliver([Array("topic".utf8), Array(AcknowledgedTests.message("bare", seq: 1).utf8)])
        #expect(try bare.answer().map(status) == "ok")
        try bare.socket.deliver([[], Array("topic".utf8), Array(AcknowledgedTests.message("bare", seq: 2).utf8)])
        #expect(try bare.answer().map(status) == "ok")
        try bare.socket.deliver([Array(AcknowledgedTests.message("bare", seq: 3).utf8)])
        #expect(try bare.answer().map(status) == "ok")
        let stats = try daemon.stats()
        #expect(stats["streams"]?.array?.first?["answered"]?["ok"]?.integer == 8, "\(stats["streams"]?.json ?? "")")
        #expect(stats["journal"]?["sources"]?.integer == 3)
        #expect(stats["durable"]?.integer == stats["position"]?.integer)
    }

    @Test("10 % sent again, 10 % out of order, 10 % into new epochs, and the daemon killed meanwhile: each event once")
    func disorder() throws {
        let daemon = try DaemonProcess(AcknowledgedTests.settings + ["threads.trainers=2", "state.journal.segment_bytes=1MiB"])
        var (random, seed) = seededRandom("acknowledged disorder")
        let publisher = try RawClient(to: daemon.events, daemon.context)
        var epochs = [String: Int](), next = [String: Int](), total = 0, kills = 0
        for round in 0..<400 {
            let source = "s\(random.below(3))"
            if random.below(10) == 0 {
                epochs[source, default: 1] += 1
                next[source] = 1
            }
            let epoch = epochs[source] ?? 1, seq = next[source] ?? 1
            if random.below(10) == 0 {
                let answer = try publisher.ask(AcknowledgedTests.message(source, epoch: epoch, seq: seq + 1 + random.below(3)))
                #expect(status(answer) == "expected" && answer["expected"]?.integer == seq, "seed \(seed), round \(round): \(answer.json)")
            }
            let answer = try publisher.ask(AcknowledgedTests.message(source, epoch: epoch, seq: seq))
            #expect(status(answer) == "ok", "seed \(seed), round \(round): \(answer.json)")
            next[source] = seq + 1
            total += 3
            if random.below(10) == 0 {
                let again = try publisher.ask(AcknowledgedTests.message(source, epoch: epoch, seq: 1 + random.below(seq)))
                #expect(status(again) == "duplicate", "seed \(seed), round \(round): \(again.json)")
            }
            if epoch > 1, random.below(10) == 0 {
                #expect(try status(publisher.ask(AcknowledgedTests.message(source, epoch: epoch - 1, seq: 1))) == "rejected")
            }
            if random.below(80) == 0 {
                if random.below(2) == 0 { try daemon.snapshot() }
                try daemon.kill()
                try daemon.start()
                kills += 1
            }
        }
        #expect(kills > 1)
        #expect(try daemon.stats()["tables"]?["items"]?.integer == total, "seed \(seed)")
    }

    @Test("A message larger than a batch is taken whole, once, wherever the daemon is killed while it is read")
    func largeMessages() throws {
        let daemon = try DaemonProcess(AcknowledgedTests.settings)
        let publisher = try RawClient(to: daemon.events, daemon.context)
        let events = 30_000
        for seq in 1...6 {
            let body = #"[{"source":"big","epoch":1,"seq":\#(seq),"user":"u","item":"\#(seq)-0"}"#
                + (1..<events).map { #",{"user":"u\#($0 % 90)","item":"\#(seq)-\#($0 % 500)"}"# }.joined() + "]"
            try publisher.send(body)
            // In the middle of it, or before, or after: never the same.
            if seq % 2 == 0 {
                usleep(UInt32(40_000 * seq))
                try daemon.kill()
                try daemon.start()
                // An answer may have left before the end.
                while let answer = try publisher.answer(seconds: 0.2) { #expect(["ok", "duplicate"].contains(status(answer))) }
                let answer = try publisher.ask(body)
                #expect(["ok", "duplicate"].contains(status(answer)), "\(answer.json)")
            } else {
                #expect(try publisher.answer(seconds: 60).map(status) == "ok")
            }
        }
        try daemon.kill()
        try daemon.start()
        #expect(try daemon.stats()["events"]?["accepted"]?.integer == 6 * events)
    }

    /// What a file of `--resume` says.
    private func standing(_ path: String) throws -> JSONTree { try parsed(String(contentsOfFile: path, encoding: .utf8)) }

    @Test("factorctl publish --acknowledged delivers all, once, while the daemon is killed and comes back, and goes on after its own end")
    func publisher() throws {
        let daemon = try DaemonProcess(AcknowledgedTests.settings)
        let file = daemon.folder + "/events.jsonl", progress = daemon.folder + "/progress.json"
        let count = 20_000
        try (0..<count).map { #"{"user":"u\#($0 % 300)","item":"i\#($0)"}"# }.joined(separator: "\n").write(toFile: file, atomically: true, encoding: .utf8)
        let arguments = [
            "publish", file, "--acknowledged", daemon.events, "--source", "file", "--resume", progress, "--batch", "50", "--rate", "12000",
            "--no-progress", "--json", "--patience", "60",
        ]
        // Killed before it has heard anything: those that follow go on with its numbers nevertheless.
        try daemon.kill()
        let early = try RunningProgram("factorctl", arguments, logs: daemon.folder)
        // Sooner than it gives up, when it would save how far it got.
        for _ in 0..<3000 where !FileManager.default.fileExists(atPath: progress) { usleep(10_000) }
        early.signal(SIGKILL)
        _ = try early.wait()
        try daemon.start()
        let start = try standing(progress)
        #expect(start["seq"]?.integer == 0 && start["records"]?.integer == 0)
        for round in 0..<3 {
            let sending = try RunningProgram("factorctl", arguments, logs: daemon.folder)
            usleep(400_000)
            try daemon.kill()
            try daemon.start()
            if round == 2 {
                #expect(try sending.wait() == .exited(0), "\(sending.standardError)")
                #expect(sending.standardOutput.contains(#""delivered":true"#), "\(sending.standardOutput)")
            } else {
                usleep(300_000)
                sending.signal(SIGKILL)
                _ = try sending.wait()
            }
        }
        #expect(try daemon.stats()["tables"]?["items"]?.integer == count)
        try daemon.kill()
        try daemon.start()
        let accepted = try daemon.stats()["events"]?["accepted"]?.integer
        #expect(accepted == count)
        #expect(try standing(progress)["epoch"]?.integer == start["epoch"]?.integer)
        // Once more from the end: nothing is left to send.
        let again = try RunningProgram("factorctl", arguments, logs: daemon.folder)
        #expect(try again.wait() == .exited(0), "\(again.standardError)")
        #expect(try daemon.stats()["events"]?["accepted"]?.integer == count)
    }
}
