import Foundation
import StreamTools
import Testing
import ZeroMQ

/// Events on their way in: every pattern, nothing lost that may not be, nothing bad that harms its neighbours.
@Suite("Streams")
struct StreamTests {
    /// Frames that hold something bad, and the reason under which it is set aside.
    static let bad: [(reason: String, frames: [String])] = [
        ("malformed_json", ["{"]),
        ("malformed_json", ["nonsense"]),
        ("malformed_json", [#"{"user":"u","item":}"#]),
        ("empty_message", [""]),
        ("empty_message", [" \n "]),
        ("too_deep", [#"{"user":"u","item":"i","x":"# + String(repeating: "[", count: 60) + String(repeating: "]", count: 60) + "}"]),
        ("not_an_object", ["[5]"]),
        ("missing_user", [#"{"item":"i"}"#]),
        ("missing_item", [#"{"user":"u"}"#]),
        ("bad_user", [#"{"user":1.5,"item":"i"}"#]),
        ("bad_user", [#"{"user":"","item":"i"}"#]),
        ("bad_item", [#"{"user":"u","item":["i"]}"#]),
        ("bad_type", [#"{"user":"u","item":"i","type":5}"#]),
        ("bad_value", [#"{"user":"u","item":"i","value":"much"}"#]),
        ("bad_value", [#"{"user":"u","item":"i","value":1e30}"#]),
        ("bad_weight", [#"{"user":"u","item":"i","weight":-1}"#]),
        ("bad_time", [#"{"user":"u","item":"i","time":"yesterday"}"#]),
        ("bad_context", [#"{"user":"u","item":"i","context":5}"#]),
        ("bad_entity", [#"{"entity":"planet","id":1,"attributes":{"a":1}}"#]),
        ("bad_attributes", [#"{"entity":"item","id":1,"attributes":5}"#]),
        ("too_many_features", [#"{"user":"u","item":"i","context":{"f":[\#((0..<300).map(String.init).joined(separator: ","))]}}"#]),
        ("bad_command", [#"{"hide":5}"#]),
        ("bad_beat", [#"{"beat":5}"#]),
        ("bad_numbering", [#"{"user":"u","item":"i","source":5,"epoch":1,"seq":1}"#]),
        ("bad_header", [#"{"columns":5,"count":1}"#]),
        ("bad_column", [#"{"columns":[["user","<i8"],["item","<i8"]],"count":1}"#, "12345678", "1234"]),
        ("bad_frames", [#"{"columns":[["user","<i8"],["item","<i8"]],"count":1}"#, "12345678"]),
        ("missing_value", [#"{"user":"u","item":"i","type":"rating"}"#]),
    ]

    @Test("Every bad form is set aside with its reason, counted, and the good ones around it are learned")
    func deadLetters() throws {
        let daemon = try DaemonProcess(["events.rating.label=value"])
        let sender = try daemon.sender()
        var good: [String] = []
        for (number, bad) in StreamTests.bad.enumerated() {
            try sender.deliver(bad.frames.map { Array($0.utf8) })
            good.append("good-\(number)")
            try sender.deliver(#"{"user":"u\#(number)","item":"good-\#(number)"}"#)
        }
        // Bad ones inside a message, among good ones, in both forms.
        try sender.deliver(#"[{"user":"a","item":"inner-1"},{"user":"a"},7,{"user":"a","item":"inner-2"}]"#)
        try sender.deliver("{\"user\":\"a\",\"item\":\"inner-3\"}\n{\"user\":\n{\"user\":\"a\",\"item\":\"inner-4\"}\n")
        good += (1...4).map { "inner-\($0)" }
        try daemon.wait(for: good.count)
        #expect(try daemon.unknown(among: good) == [])
        #expect(try daemon.position() == good.count)

        var expected: [String: Int] = ["missing_item": 1, "not_an_object": 1, "malformed_json": 1]
        for bad in StreamTests.bad { expected[bad.reason, default: 0] += 1 }
        let stats = try daemon.stats()
        for (reason, count) in expected { #expect(stats["events"]?["rejected"]?[reason]?.integer == count, "\(reason): \(stats["events"]?.json ?? "")") }
        #expect(stats["events"]?["rejected"]?.object?.count == expected.count, "\(stats["events"]?.json ?? "")")

        let total = expected.values.reduce(0, +)
        // They are written behind the stream's back, a second later at most.
        let letterCounts = { () throws -> JSONTree? in try daemon.stats()["events"]?["dead_letters"] }
        #expect(try eventually { try letterCounts()?["written"]?.integer == total })
        #expect(try letterCounts()?["lost"]?.integer == 0)
        let path = daemon.state + "/dead-letters/dead-letters.jsonl"
        #expect(try daemon.stop() == .exited(0))
        let letters = try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n").map { try parsed(String($0)) }
        #expect(letters.count == total)
        for (reason, count) in expected { #expect(letters.filter { $0["reason"]?.string == reason }.count == count, "\(reason)") }
        #expect(letters.allSatisfy { $0["stream"]?.string == "events" && $0["detail"]?.string?.isEmpty == false && $0["time"] != nil }, "\(letters.filter { $0["stream"]?.string != "events" })")
        #expect(letters.contains { $0["payload"]?.string == #"{"user":"u","item":"i","weight":-1}"# })
        #expect(try permissions(of: path) == 0o600)
    }

    @Test("A flood on a pull stream with short queues: every event is learned, none twice", arguments: [1, 2])
    func flood(trainers: Int) throws {
        let daemon = try DaemonProcess(["streams.0.high_water_mark=2", "threads.trainers=\(trainers)"])
        let sender = try daemon.sender()
        for batch in 0..<200 { try sender.deliver(columnarFrames(batch * 1000..<(batch + 1) * 1000)) }
        try daemon.wait(for: 200_000)
        let stats = try daemon.stats()
        for count in ["received", "accepted"] { #expect(stats["events"]?[count]?.integer == 200_000, "\(count): \(stats["events"]?.json ?? "")") }
        #expect(stats["sequenced"]?.integer == 200_000)
        #expect(stats["models"]?.array?.first?["events"]?.integer == 200_000)
        #expect(stats["tables"]?["users"]?.integer == 500)
        #expect(stats["tables"]?["items"]?.integer == 800)
    }

    @Test("Several streams at once, bound and connecting, pull and sub with topics, on two receivers and two trainers")
    func manyStreams() throws {
        let daemon = try DaemonProcess(isStarted: false)
        let ends = ["pull-bound", "pull-connecting", "sub-bound", "sub-connecting"].map { "ipc://\(daemon.folder)/\($0)" }
        daemon.settings = ["threads.receivers=2", "threads.trainers=2", "streams.0.endpoint=\(ends[0])"]
        for (index, pattern) in ["pull", "pull", "sub", "sub"].enumerated() {
            daemon.settings += ["streams.\(index).name=s\(index)", "streams.\(index).endpoint=\(ends[index])", "streams.\(index).pattern=\(pattern)"]
            daemon.settings.append("streams.\(index).mode=\(index % 2 == 0 ? "bind" : "connect")")
        }
        daemon.settings += ["streams.2.topics=a,b/", "streams.3.topics="]
        let pushBound = try ZeroMQSocket(daemon.context, .push, options: .publisher)
        try pushBound.bind(ends[1])
        let pubBound = try ZeroMQSocket(daemon.context, .pub, options: .publisher)
        try pubBound.bind(ends[3])
        try daemon.start()
        let push = try daemon.sender(ends[0])
        let pub = try ZeroMQSocket(daemon.context, .pub, options: .publisher)
        try pub.connect(ends[2])

        // A subscriber hears what comes after it has joined, so probes go first until one is heard.
        for (socket, probe) in [(pub, "probe-2"), (pubBound, "probe-3")] {
            let isHeard = try eventually { () -> Bool in
                try socket.deliver("a", #"{"user":"probe","item":"\#(probe)"}"#)
                return try daemon.unknown(among: [probe]).isEmpty
            }
            #expect(isHeard, "\(probe): \(daemon.log)")
        }
        for number in 0..<300 {
            let event = { (stream: String) in #"{"user":"\#(number % 7)","item":"\#(stream)-\#(number)"}"# }
            try push.deliver(event("s0"))
            try pushBound.deliver(event("s1"))
            try pub.deliver(number % 2 == 0 ? "a" : "b/c", event("s2"))
            try pub.deliver("b", event("unwanted"))
            try pub.deliver("", event("unwanted"))
            try pubBound.deliver("any topic", event("s3"))
        }
        let wanted = ["s0", "s1", "s2", "s3"].flatMap { stream in (0..<300).map { "\(stream)-\($0)" } }
        let isLearned = try eventually { try daemon.unknown(among: wanted).isEmpty }
        #expect(isLearned, "\(daemon.log)")
        let unwanted = (0..<300).map { "unwanted-\($0)" }
        #expect(try daemon.unknown(among: unwanted) == unwanted)
        let stats = try daemon.stats()
        #expect(stats["streams"]?.array?.map { $0["name"]?.string } == ["s0", "s1", "s2", "s3"])
        #expect(stats["streams"]?.array?.prefix(2).map { $0["received"]?.integer } == [300, 300])
        #expect(stats["events"]?["rejected"]?.object?.isEmpty == true, "\(stats["events"]?.json ?? "")")
        #expect(try daemon.stop() == .exited(0))
    }

    @Test("A frame over the limit costs its sender the connection; then the stream goes on, bound or connecting", arguments: ["bind", "connect"])
    func oversizeFrame(mode: String) throws {
        let daemon = try DaemonProcess(["streams.0.max_message=64KiB", "streams.0.mode=\(mode)"], isStarted: false)
        let sender = try ZeroMQSocket(daemon.context, .push, options: .publisher)
        if mode == "bind" { try sender.connect(daemon.events) } else { try sender.bind(daemon.events) }
        try daemon.start()
        try sender.deliver(#"{"user":"u","item":"before"}"#)
        try daemon.wait(for: 1)
        try sender.deliver(#"{"user":"u","item":"large","x":"\#(String(repeating: "x", count: 1 << 17))"}"#)
        // What is sent before the sender has noticed may go with the connection.
        let goesOn = try eventually { () -> Bool in
            _ = try sender.send([Array(#"{"user":"u","item":"after"}"#.utf8)], wait: false)
            return try daemon.unknown(among: ["after"]).isEmpty
        }
        #expect(goesOn, "\(daemon.log)")
        #expect(try daemon.unknown(among: ["before", "large"]) == ["large"])
        let isCounted = try eventually { try daemon.stats()["streams"]?.array?.first?["disconnects"]?.integer ?? 0 > 0 }
        #expect(isCounted)
        if mode == "connect" { #expect(try daemon.stats()["streams"]?.array?.first?["recreated"]?.integer ?? 0 >= 1) }
        #expect(try daemon.stop() == .exited(0))
    }
}
