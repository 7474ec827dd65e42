import StreamTools
import Testing
import ZeroMQ

/// The rules of `recommend` through the daemon: filters, boosts, caps, diversity, pages, candidates, and items that vanish.
@Suite("Rules")
struct RuleRequestTests {
    private func recommend(_ daemon: DaemonProcess, _ parameters: JSONTree) throws -> JSONTree {
        guard case .object(var members) = parameters else { throw Unexpected("parameters are an object") }
        if parameters["user"] == nil { members.append(JSONTree.Member(key: "user", value: "u1")) }
        members.append(JSONTree.Member(key: "exclude_seen", value: false))
        members.append(JSONTree.Member(key: "deadline_ms", value: 30_000))
        return try daemon.client().call("recommend", .object(members))
    }

    private func items(_ answer: JSONTree) -> [String] { answer["items"]?.array?.compactMap { $0["item"]?.string } ?? [] }

    /// 80 items of 4 brands, with prices as numbers and stock as integers, behind 2,000 events.
    private func shop(_ settings: [String] = []) throws -> (DaemonProcess, ZeroMQSocket) {
        let daemon = try DaemonProcess(settings), sender = try daemon.sender()
        try sender.deliver(eventsJSON(0..<2000))
        let attributes = (0..<80).map { item in
            #"{"entity":"item","id":"i\#(item)","attributes":{"brand":"brand \#(item % 4)","price":\#(Double(item) / 10),"stock":\#(item % 3),"fresh":\#(item % 2 == 0)}}"#
        }
        try sender.deliver("[" + attributes.joined(separator: ",") + "]")
        try daemon.wait(for: 2080)
        return (daemon, sender)
    }

    @Test("Filter, boosts, caps, candidates, least score and pages do what they say")
    func rules() throws {
        let (daemon, _) = try shop()
        func number(_ item: String) -> Int { Int(item.dropFirst()) ?? -1 }
        let all = items(try recommend(daemon, ["n": 1000]))
        #expect(Set(all).count == 80)
        let filtered = items(try recommend(daemon, ["n": 1000, "filter": "brand in ['brand 1', 'brand 2'] and price < 4 and stock and not fresh"]))
        #expect(filtered == all.filter { number($0) % 4 == 1 && number($0) < 40 && number($0) % 3 > 0 } && filtered.count > 3)
        let boosted = items(try recommend(daemon, ["n": 20, "boosts": [["when": "brand = 'brand 3'", "add": 1000]]]))
        // The sum is rounded: among equals the order may be another.
        #expect(Set(boosted) == Set(all.filter { number($0) % 4 == 3 }))
        let capped = items(try recommend(daemon, ["n": 1000, "caps": ["brand": 2]]))
        #expect(capped == (0..<4).flatMap { brand in all.filter { number($0) % 4 == brand }.prefix(2) }.sorted { all.firstIndex(of: $0)! < all.firstIndex(of: $1)! })
        #expect(items(try recommend(daemon, ["n": 1000, "caps": [["field": "brand", "limit": 2]]])) == capped)
        let listed = try recommend(daemon, ["n": 5, "candidates": ["i7", "nobody", "i3", "i7", 5]])
        #expect(Set(items(listed)) == ["i3", "i7"] && listed["unknown_candidates"]?.integer == 2, "\(listed.json)")
        #expect(items(try recommend(daemon, ["candidates": []])) == [])
        #expect(items(try recommend(daemon, ["candidates": .null])).count == 10)
        #expect(items(try recommend(daemon, ["n": 5, "offset": 7])) == Array(all[7..<12]))
        let scores = try recommend(daemon, ["n": 80])["items"]?.array?.compactMap { $0["score"]?.number } ?? []
        #expect(items(try recommend(daemon, ["n": 80, "min_score": .number(scores[9])])) == Array(all[..<10]))
        let diverse = items(try recommend(daemon, ["n": 80, "diversity": 0.5]))
        #expect(diverse != all && Set(diverse) == Set(all) && diverse[0] == all[0])
        let stranger = try recommend(daemon, ["user": "nobody", "n": 1000, "filter": "fresh and has price"])
        #expect(items(stranger).count == 40 && stranger["fallback"]?.string == "popularity")
    }

    @Test("Each wrong rule is told where it is wrong")
    func wrongRules() throws {
        let daemon = try DaemonProcess()
        let cases: [(parameters: JSONTree, names: String)] = [
            (["filter": 5], "params.filter: a string"), (["filter": "price <"], "params.filter, column 8: a number after `<` is expected, found the end"),
            (["boosts": 5], "params.boosts: an array"), (["boosts": [5]], "params.boosts[0].when: a string"),
            (["boosts": [["when": "a", "add": 1], ["when": "a or", "add": 1]]], "params.boosts[1].when, column 5: a field"),
            (["boosts": [["when": "a"]]], "params.boosts[0].add: a number"), (["boosts": .array(Array(repeating: ["when": "a", "add": 1], count: 17))], "limit is 16"),
            (["caps": "brand"], "params.caps: an object"), (["caps": ["brand": 0]], "params.caps.brand: an integer from 1"),
            (["caps": [["limit": 1]]], "params.caps[0].field: a string"), (["caps": [["field": "brand"]]], "params.caps[0].limit: an integer"),
            (["diversity": 1.5], "params.diversity: a number from 0.0 to 1.0"), (["offset": -1], "params.offset"), (["min_score": "low"], "params.min_score"),
            (["candidates": "i1"], "params.candidates: an array"), (["candidates": [1.5]], "params.candidates[0]"),
        ]
        let client = try RawClient(to: daemon.requests, daemon.context)
        for (parameters, names) in cases {
            guard case .object(let members) = parameters else { continue }
            let body = JSONTree.object([JSONTree.Member(key: "user", value: "u1")] + members).json
            let answer = try client.ask(#"{"jsonrpc":"2.0","id":1,"method":"recommend","params":\#(body)}"#)
            #expect(answer["error"]?["code"]?.integer == -32602, "\(body): \(answer.json)")
            #expect(answer["error"]?["message"]?.string?.contains(names) == true, "\(body): \(answer.json)")
        }
    }

    @Test("What is hidden or expired is in no answer from its position on, in no restart, and comes back")
    func vanishing() throws {
        let (daemon, sender) = try shop()
        func holds(_ item: String, after position: Int) throws -> Bool {
            let answer = try recommend(daemon, ["n": 1000, "after": .integer(Int64(position))])
            #expect(answer["late"] == nil)
            return items(answer).contains(item)
        }
        try sender.deliver(#"{"hide":{"item":"i5"}}"#)
        #expect(try !holds("i5", after: 2081))
        let past = #""expires":"2020-01-01T00:00:00Z""#, future = #""expires":4102444800"#
        try sender.deliver(#"[{"entity":"item","id":"i6","attributes":{"brand":"x"},\#(past)},{"entity":"item","id":"i7","attributes":{},\#(past)},{"entity":"item","id":"i8","attributes":{},\#(future)}]"#)
        #expect(try !holds("i6", after: 2084) && !holds("i7", after: 2084))
        #expect(try holds("i8", after: 2084))
        // From the journal alone, then from a snapshot.
        let isDurable = try eventually { (try daemon.client().call("ping")["durable"]?.integer ?? 0) >= 2084 }
        #expect(isDurable)
        try daemon.kill()
        try daemon.start()
        for item in ["i5", "i6", "i7"] { #expect(try !holds(item, after: 2084)) }
        let position = try daemon.snapshot()
        try daemon.kill()
        try daemon.start()
        for item in ["i5", "i6", "i7"] { #expect(try !holds(item, after: position)) }
        #expect(try holds("i8", after: position))
        try sender.deliver(#"[{"unhide":{"item":"i5"}},{"entity":"item","id":"i6","attributes":{"brand":"x"}},{"entity":"item","id":"i7","attributes":{},\#(future)}]"#)
        let isBack = try eventually { Set(items(try recommend(daemon, ["n": 1000]))).isSuperset(of: ["i5", "i6", "i7"]) }
        #expect(isBack)
    }

    @Test("factorctl recommend takes all of them")
    func command() throws {
        let (daemon, _) = try shop()
        let program = try RunningProgram(
            "factorctl", [
                "recommend", "u1", "--no-exclude-seen", "-n", "3", "--filter", "fresh and price < 7", "--boost", "1000:brand = 'brand 2'", "--boost=-1:stock = 0",
                "--cap", "brand=2", "--diversity", "0.3", "--offset", "1", "--min-score=-10", "--candidates", "i0", "i2", "i4", "i6", "i8", "i10", "i1", "--json",
            ], logs: daemon.folder, environment: ["FACTORD_REQUESTS": daemon.requests])
        #expect(try program.wait() == .exited(0), "\(program.standardError)")
        let found = items(try parsed(program.standardOutput))
        // i2, i6 and i10 of brand 2, of which two may stand there, then of brand 0; the first of four is left out.
        #expect(found.count == 3 && found.count { ["i2", "i6", "i10"].contains($0) } == 1 && found.allSatisfy { $0 != "i1" }, "\(program.standardOutput)")
        for (arguments, names) in [(["--boost", "a"], "--boost a"), (["--cap", "brand"], "--cap brand"), (["--filter", "a <"], "column 4")] {
            let wrong = try RunningProgram("factorctl", ["recommend", "u1"] + arguments, logs: daemon.folder, environment: ["FACTORD_REQUESTS": daemon.requests])
            #expect(try wrong.wait() != .exited(0) && wrong.standardError.contains(names), "\(wrong.standardError)")
        }
    }
}
