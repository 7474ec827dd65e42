import Factorization
import Testing
import WireFormats

/// The short way takes only what the full way takes, and makes the same of it.
@Suite struct PlainEventTests {
    /// The message by the short way; nil where it leaves it to the full one.
    private func plain(_ text: [UInt8], _ policy: IdPolicy = .canonical, batch: EventBatch = EventBatch()) -> Decoded? {
        let decoder = EventDecoder(policy: policy, hashing: hashing)
        // Memory of exactly that size, so that a read beyond it is one beyond an allocation.
        let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: text.count, alignment: 1)
        defer { copy.deallocate() }
        copy.copyBytes(from: text)
        let taken = withUnsafePointer(to: UnsafeRawBufferPointer(copy)) {
            decoder.takePlain(UnsafeBufferPointer(start: $0, count: 1), from: 0, stream: 3, into: batch)
        }
        guard taken == 1 else {
            #expect(batch.recordCount == 0 && batch.messageCount == 0 && batch.textCount == 0, "what is not taken leaves nothing")
            return nil
        }
        copy.initializeMemory(as: UInt8.self, repeating: 0)
        var result = Decoded()
        collect(batch, into: &result)
        return result
    }

    private func expectSame(_ text: String, _ policy: IdPolicy = .canonical, sourceLocation: SourceLocation = #_sourceLocation) -> Bool {
        expectSame(Array(text.utf8), policy, sourceLocation: sourceLocation)
    }

    /// Whether the short way took the text; then the full way must have made the same of it.
    private func expectSame(_ text: [UInt8], _ policy: IdPolicy, sourceLocation: SourceLocation = #_sourceLocation) -> Bool {
        guard let short = plain(text, policy) else { return false }
        let full = decode([text], policy: policy)
        let words = String(decoding: text, as: UTF8.self)
        #expect(short.records == full.records && full.rejectedCount == 0, "\(words)", sourceLocation: sourceLocation)
        #expect(full.entries.count == 1 && short.entries.count == 1, "\(words)", sourceLocation: sourceLocation)
        if let one = short.entries.first, let other = full.entries.first {
            #expect(one == other, "\(words)", sourceLocation: sourceLocation)
        }
        return true
    }

    @Test func takesWhatIsPlain() {
        let texts = [
            #"{"user":1,"item":2}"#, #" { "user" : -7 , "item" : "a b" } "# + "\r\n", #"{"item":"42","user":"u-1","type":"click"}"#,
            #"{"user":1,"item":2,"value":4.5,"weight":0.25,"time":1700000000}"#, #"{"user":1,"item":2,"time":"2024-02-29T12:00:00Z"}"#,
            #"{"user":1,"item":2,"time":1700000000.123,"value":-0,"weight":0}"#, #"{"user":1,"item":2,"value":-0.0}"#,
            #"{"source":"web","epoch":3,"seq":17,"user":1,"item":2}"#, #"{"user":1,"item":2,"seq":17}"#, #"{"user":1,"item":2,"source":"s"}"#,
            #"{"user":123456789012345678,"item":-123456789012345678}"#, #"{"user":1,"item":2,"unknown_key":"x","timestamp":12,"x":1.5}"#,
            #"{"user":12345678,"item":-87654321}"#, #"{"user":123456789,"item":1234567890123,"time":1700000000123,"value":12345678.5}"#,
            #"{"user":"-0","item":"007"}"#, #"{"user":"9223372036854775808","item":"-9223372036854775808"}"#,
        ]
        for text in texts {
            for policy in IdPolicy.allCases { #expect(expectSame(text, policy), "\(text)") }
        }
    }

    @Test func leavesTheRest() {
        let texts = [
            #"{}"#, #"{"user":1}"#, #"{"user":1,"item":2}{"user":1,"item":2}"#, #"{"user":1,"item":2,}"#, #"{"user":1,"item":2"#, #"{"user":1.0,"item":2}"#,
            #"{"user":1,"item":2,"item":3}"#, #"{"user":1,"item":2,"value":null}"#, #"{"user":1,"item":"\u0041"}"#, #"{"user":1,"item":"é"}"#,
            #"{"user":01,"item":2}"#, #"{"user":0123456789,"item":2}"#, #"{"user":12345678x,"item":2}"#, #"{"user":1,"item":2,"time":1234567890123456789}"#,
            #"{"user":1,"item":2,"value":1e3}"#, #"{"user":1,"item":2,"value":1.}"#, #"{"user":-,"item":2}"#,
            #"{"user":1,"item":2,"value":0.12345678901234567890}"#, #"{"user":1,"item":2,"context":{"a":1}}"#, #"{"user":1,"item":2,"columns":1}"#,
            #"{"user":1,"item":2,"seq":-1}"#, #"{"user":1,"item":2,"weight":-1}"#, #"{"user":1,"item":2,"value":2000000000}"#, #"{"user":"","item":2}"#,
            #"{"user":1,"item":2,"beat":1}"#, #"[{"user":1,"item":2}]"#, #"{"user":99999999999999999999,"item":2}"#, "{\"user\":1,\"item\":\"a\tb\"}", "",
            #"{"user":1,"item":2,"type":""}"#, #"{"user":1,"item":2,"type":5}"#, #"{"user":1,"item":2,"time":"soon"}"#, #"{"user" 1,"item":2}"#,
        ]
        for text in texts { #expect(plain(Array(text.utf8)) == nil, "\(text)") }
    }

    /// Many bodies at once: the first that is not plain stops, and a full batch does.
    @Test func stopsAtTheFirstThatIsNotPlain() {
        let texts = [#"{"user":1,"item":1}"#, #"{"user":2,"item":2}"#, #"{"user":3}"#, #"{"user":4,"item":4}"#].map { Array($0.utf8) }
        let views = texts.map { text in
            let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: text.count, alignment: 1)
            copy.copyBytes(from: text)
            return UnsafeRawBufferPointer(copy)
        }
        defer { for view in views { view.deallocate() } }
        let decoder = EventDecoder(hashing: hashing), batch = EventBatch(recordCapacity: 3)
        views.withUnsafeBufferPointer { views in
            #expect(decoder.takePlain(views, from: 0, stream: 1, into: batch) == 2)
            #expect(decoder.takePlain(views, from: 3, stream: 1, into: batch) == 4)
            #expect(decoder.takePlain(views, from: 0, stream: 1, into: batch) == 0, "a full batch takes nothing")
        }
        #expect(batch.messages.map(\.firstRecord) == [0, 1, 2] && batch.messages.map(\.stream) == [1, 1, 1])
    }

    /// Texts made up from the words of events, most of them then damaged: whatever the short way takes, the full way takes
    /// as the same.
    @Test func agreesWithTheFullWayOnMadeUpTexts() {
        var random = Random(seed: 11)
        var taken = 0, whole = 0
        for round in 0..<30_000 {
            var text = Array(random.event().utf8)
            let isWhole = round % 3 == 0
            if !isWhole { random.damage(&text) }
            let isTaken = expectSame(text, round % 2 == 0 ? .canonical : .exact)
            if isTaken { taken += 1 }
            if isWhole && isTaken { whole += 1 }
        }
        #expect(whole > 2000 && taken > whole + 1000, "the test tests nothing: \(whole) of the whole, \(taken) in all")
    }
}

/// A stream of pseudo-random choices (SplitMix64) and events made from it.
private struct Random {
    private var state: UInt64
    init(seed: UInt64) { state = seed }

    mutating func below(_ bound: Int) -> Int {
        state = mix64(state)
        return Int(state % UInt64(bound))
    }

    mutating func pick(_ words: [String]) -> String { words[below(words.count)] }

    mutating func number() -> String {
        switch below(6) {
        case 0: pick(["0", "-0", "1", "-1", "0.5", "-0.25", "1.0", "00", "0.1", "1e2", "9007199254740993", "0.3000000000000001"])
        case 1: "\(below(1_000_000))"
        case 2: "\(Int64(bitPattern: mix64(UInt64(below(1 << 40)))))"
        case 3: "\(below(100_000)).\(below(1_000_000))"
        case 4: "-\(below(1000)).0\(below(1_000_000_000))"
        default: "17\(below(100_000_000))"
        }
    }

    mutating func string() -> String {
        switch below(5) {
        case 0: "\"\(below(1000))\""
        case 1: "\"user-\(below(1000))-\(String(repeating: "x", count: below(20)))\""
        case 2: pick(["\"a\\\"b\"", "\"é\"", "\"\"", "\"-5\"", "\"05\"", "\"2024-02-29T12:00:00.5+02:00\"", "\"\u{7F}\"", "\"a\u{1F}\""])
        default: "\"\(pick(["click", "view", "buy", "a", "abcdefgh", "abcdefghi"]))\""
        }
    }

    mutating func space() -> String { below(8) == 0 ? pick([" ", "\n", "\r\n", "\t", "  "]) : "" }

    mutating func value() -> String {
        switch below(12) {
        case 0: pick(["null", "true", "false", "{}", "[1]", "{\"a\":1}"])
        case 1...6: number()
        default: string()
        }
    }

    mutating func event() -> String {
        var members = ["\"user\":\(below(2) == 0 ? string() : number())", "\"item\":\(below(2) == 0 ? string() : number())"]
        for _ in 0..<below(4) {
            switch below(6) {
            case 0: members.append("\"type\":\(string())")
            case 1: members.append("\"\(pick(["value", "weight", "time"]))\":\(number())")
            case 2: members.append("\"\(pick(["seq", "epoch"]))\":\(number())")
            case 3: members.append("\"source\":\(string())")
            default:
                members.append("\"\(pick(["user", "x", "time", "context", "beat", "columns", "attributes", "hide", "seqs"]))\":\(value())")
            }
        }
        if below(3) == 0 { members.swapAt(0, members.count - 1) }
        let text = members.map { space() + $0.replacing("\":", with: "\"\(space()):\(space())") + space() }.joined(separator: ",")
        return space() + "{" + text + "}" + space()
    }

    /// Cuts, doubles, or changes a byte or two.
    mutating func damage(_ text: inout [UInt8]) {
        for _ in 0...below(2) where !text.isEmpty {
            let place = below(text.count)
            switch below(5) {
            case 0: text.remove(at: place)
            case 1: text.insert(text[below(text.count)], at: place)
            case 2: text[place] = UInt8(below(256))
            case 3: text[place] = Array("{}[]\",:0123456789.-+eE \n\\".utf8)[below(25)]
            default: if below(8) == 0 { text.removeSubrange(place...) } else { text.insert(UInt8(ascii: "0"), at: place) }
            }
        }
    }
}
