import StreamTools
import Testing

/// The methods beside scores and recommendations, and what stands in for whoever is not known, through a daemon.
@Suite("Answers")
struct AnswerTests {
    /// Two groups of users and items, items with a genre, users with a club, some context.
    private func start(_ settings: [String] = []) throws -> DaemonProcess {
        let daemon = try DaemonProcess(["models.0.rank=8", "models.0.optimizer.rate=0.2"] + settings)
        var records = (0..<20).map { #"{"entity":"item","id":"i\#($0)","attributes":{"genre":"g\#($0 % 2)"}}"# }
        records += (0..<10).map { #"{"entity":"user","id":"u\#($0)","attributes":{"club":"c\#($0 % 2)"}}"# }
        records += (0..<1500).map {
            let user = $0 % 30, item = 2 * (($0 * 7 + $0 / 30) % 10) + user % 2
            return #"{"user":"u\#(user)","item":"i\#(item)","context":{"hour":\#($0 % 3)}}"#
        }
        records.append(#"{"entity":"user","id":"newcomer","attributes":{"club":"c1"}}"#)
        records.append(#"{"hide":{"item":"i19"}}"#)
        try daemon.sender().deliver("[" + records.joined(separator: ",") + "]")
        try daemon.wait(for: records.count)
        return daemon
    }

    private func ids(_ list: JSONTree?, _ key: String = "item") -> [String] { (list?.array ?? []).compactMap { $0[key]?.string } }

    @Test("similar, explain, inspect and the common lists answer, with their rules")
    func methods() throws {
        let daemon = try start(), client = try daemon.client()
        let similar = try client.call("similar", ["item": "i2", "n": 5, "exclude": ["i4"]])
        let alike = ids(similar["items"])
        #expect(alike.count == 5 && !alike.contains("i2") && !alike.contains("i4") && similar["fallback"] == nil, "\(similar.json)")
        #expect(alike.count { Int($0.dropFirst())! % 2 == 0 } >= 4, "\(similar.json)")
        let byAttribute = try client.call("similar", ["item": "new", "item_attributes": ["genre": "g1"]])
        #expect(byAttribute["fallback"]?.string == "attributes" && ids(byAttribute["items"]).count == 10 && !ids(byAttribute["items"]).contains("i19"))
        #expect(try client.call("similar", ["item": "new"]).json.contains(#""fallback":"unknown""#))
        let users = try client.call("similar", ["user": "u3", "n": 6])
        #expect(ids(users["users"], "user").count == 6 && !ids(users["users"], "user").contains("u3"), "\(users.json)")
        #expect(try client.call("similar", ["history": ["i1", "i3"], "n": 3])["fallback"]?.string == "items")

        for user in ["u3", "newcomer", "a stranger"] {
            let request: JSONTree = ["user": .string(user), "item": "i5", "context": ["hour": 1]]
            let explained = try client.call("explain", request)
            let score = try client.call("score", ["user": .string(user), "items": ["i5"], "context": ["hour": 1]])
            let sum = (explained["terms"]?.array ?? []).reduce(0) { $0 + ($1["value"]?.number ?? .nan) }, want = score["scores"]?.array?.first?.number ?? .nan
            #expect(abs(sum - want) <= 1e-5 * max(1, abs(want)), "\(explained.json) \(score.json)")
            #expect(explained["fallback"] == score["fallback"], "\(explained.json) \(score.json)")
            if user == "u3" {
                #expect(explained.json.contains(#""feature":"hour=1""#) && explained.json.contains(#""with":"genre=g1""#), "\(explained.json)")
                #expect(explained["near"]?.array?.count == 5)
            }
        }

        let row = try client.call("inspect", ["item": "i19"])
        #expect(row["known"]?.bool == true && row["hidden"]?.bool == true && row["rows"]?.array?.first?["factors"]?.array?.count == 8, "\(row.json)")
        #expect(try client.call("inspect", ["user": "u3"])["seen"]?.integer == 10)
        #expect(try client.call("inspect", ["context": ["hour": 2]])["known"]?.bool == true)
        #expect(try client.call("inspect", ["context": ["hour": 99]])["known"]?.bool == false)
        #expect(try client.call("inspect", ["item_attribute": ["genre": "g1"]])["rows"]?.array?.count == 1)
        #expect(try client.call("inspect")["kind"]?.string == "mf")

        let popular = try client.call("popular", ["n": 30])
        #expect(ids(popular["items"]).count == 19 && !ids(popular["items"]).contains("i19"), "\(popular.json)")
        #expect(ids(try client.call("popular", ["n": 30, "user": "u0"])["items"]).allSatisfy { Int($0.dropFirst())! % 2 == 1 })
        try daemon.sender().deliver("[" + (0..<50).map { #"{"user":"u\#($0 % 30)","item":"rising"}"# }.joined(separator: ",") + "]")
        let trending = try client.call("trending", ["half_life": 100, "after": 1582, "deadline_ms": 30_000])
        #expect(ids(trending["items"]).first == "rising" && trending["late"] == nil, "\(trending.json)")
        let latest = try client.call("latest", ["n": 2])
        #expect(ids(latest["items"]).first == "rising" && latest["items"]?.array?.first?["since"]?.integer == 1533, "\(latest.json)")
        // The lists outlive a restart.
        try daemon.restart()
        #expect(ids(try daemon.client().call("trending", ["half_life": 100])["items"]).first == "rising")
    }

    @Test("An unknown user is answered by items, attributes, context, popularity, in this order or the configured one")
    func fallbacks() throws {
        let daemon = try start(), client = try daemon.client()
        let request: JSONTree = ["user": "a stranger", "history": ["i1", ["item": "i3", "weight": 2], "not known"], "attributes": ["club": "c1"], "context": ["hour": 1], "n": 5]
        func without(_ names: String...) -> JSONTree {
            guard case .object(let members) = request else { return .null }
            return .object(members.filter { !names.contains($0.key) })
        }
        let anonymous = try client.call("recommend", request)
        #expect(anonymous["fallback"]?.string == "items", "\(anonymous.json)")
        let found = ids(anonymous["items"])
        #expect(found.count == 5 && !found.contains("i1") && !found.contains("i3") && found.allSatisfy { Int($0.dropFirst())! % 2 == 1 }, "\(anonymous.json)")
        // The same by the other name, and without any user.
        let unnamed = try client.call("recommend", ["items": ["i1", ["item": "i3", "weight": 2]], "attributes": ["club": "c1"], "context": ["hour": 1], "n": 5])
        #expect(unnamed["items"] == anonymous["items"])
        #expect(try client.call("recommend", without("history"))["fallback"]?.string == "attributes")
        #expect(try client.call("recommend", without("history", "attributes"))["fallback"]?.string == "context")
        #expect(try client.call("recommend", without("history", "attributes", "context"))["fallback"]?.string == "popularity")
        let newcomer = try client.call("recommend", ["user": "newcomer", "n": 5])
        #expect(newcomer["fallback"]?.string == "attributes" && ids(newcomer["items"]).count == 5)
        // A user who is known needs none of it.
        let known = try client.call("recommend", ["user": "u3", "history": ["i2"], "exclude_seen": false])
        #expect(known["fallback"] == nil)

        let score = try client.call("score", ["history": ["i1", "i3"], "items": ["i5", "i6", ["item": "new", "attributes": ["genre": "g1"]], "none"]])
        let scores = score["scores"]?.array?.compactMap(\.number) ?? []
        #expect(score["fallback"]?.string == "items" && scores.count == 4 && scores[0] > scores[1] && scores[2] != scores[3], "\(score.json)")
        #expect(score["unknown_items"]?.array == [2, 3])
        #expect(try client.call("score", ["user": "a stranger", "items": ["i5"], "context": ["hour": 1]])["fallback"]?.string == "context")

        let bad: [(JSONTree, String)] = [
            (["items": 5], "params.items"), (["history": [["weight": 1]]], "params.history[0]"), (["history": [["item": "i1", "weight": -1]]], "params.history[0].weight"),
            (["attributes": 5], "params.attributes"), (["user": "u1", "history": .array((0..<1001).map { .integer(Int64($0)) })], "params.history"),
        ]
        for (parameters, name) in bad {
            let answer = try RawClient(to: daemon.requests, daemon.context).ask(RequestTests.request("recommend", parameters.json))
            #expect(answer["error"]?["code"]?.integer == -32602 && answer["error"]?["message"]?.string?.contains(name) == true, "\(answer.json)")
        }

        let other = try start(["requests.fallback=attributes,items"]), second = try other.client()
        #expect(try second.call("recommend", request)["fallback"]?.string == "attributes")
        #expect(try second.call("recommend", without("attributes"))["fallback"]?.string == "items")
        let nothing = try second.call("recommend", ["user": "a stranger"])
        #expect(nothing["fallback"]?.string == "none" && nothing["items"]?.array == [], "\(nothing.json)")
    }
}
