import Factorization
import Testing
import WireFormats

@Suite struct MessageTests {
    @Test func oneBadRecordSpoilsNoOther() {
        let text = #" [{"user":1,"item":1}, {"user":"a,]","item":[]} ,7,{"user":3,"item":3}]"#
        let decoded = decode(text)
        #expect(decoded.records.map(\.user) == ["#1", "#3"])
        #expect(decoded.reasons == [.badItem, .notAnObject])
        #expect(decoded.rejections.map(\.record) == [1, 2])
        let bytes = Array(text.utf8)
        #expect(decoded.rejections.map { String(decoding: bytes[$0.bodyRange], as: UTF8.self) } == [#"{"user":"a,]","item":[]}"#, "7"])
    }

    /// An array is no JSON as soon as one number is past 64 bits or one string is not UTF-8; the others still count.
    @Test func savesTheGoodElementsOfABrokenArray() {
        let decoded = decode(#"[{"user":1,"item":1},{"user":99999999999999999999,"item":1},{"user":2,"item":"x\"]"}]"#)
        #expect(decoded.records.map(\.user) == ["#1", "#2"])
        #expect(decoded.reasons == [.malformedJSON] && decoded.rejections[0].record == 1)
        let cut = decode(#"[{"user":1,"item":1},{"user":"#)
        #expect(cut.records.isEmpty && cut.reasons == [.malformedJSON], "an array that was cut is refused whole")
    }

    @Test func lines() {
        let decoded = decode("{\"user\":1,\"item\":1,\"source\":\"s\",\"seq\":5}\n\n{\"user\":2,\"item\":\n  {\"user\":3,\"item\":3}\r\n{}\n")
        #expect(decoded.records.map(\.user) == ["#1", "#3"])
        #expect(decoded.reasons == [.malformedJSON, .missingUser])
        #expect(decoded.rejections[0].bodyRange.count == 17)
        #expect(decoded.entries[0] == ("s", 0, 5, true, false, true))
        let badFirst = decode("{\"user\":1,\"item\":}\n{\"user\":3,\"item\":3}")
        #expect(badFirst.records.map(\.user) == ["#3"] && badFirst.reasons == [.malformedJSON])
    }

    @Test func onePrettyPrintedObjectIsOneRecord() {
        let decoded = decode("{\n  \"user\": 1,\n  \"item\": 2,\n  \"context\": {}\n}\n")
        #expect(decoded.records.count == 1 && decoded.rejectedCount == 0)
        #expect(decode("{\n  \"user\": 1,\n  \"item\": \n}\n").reasons == [.malformedJSON])
    }

    @Test func arrayTakesNumberingOfItsFirst() {
        let decoded = decode(#"[{"user":1,"item":1,"source":"é","epoch":1,"seq":2},{"user":1,"item":2,"seq":"x"}]"#)
        #expect(decoded.records.count == 2 && decoded.entries[0] == ("é", 1, 2, true, false, true))
        #expect(decode("[]").entries.count == 1)
    }

    @Test func topics() {
        let body = Array(#"{"user":1,"item":1}"#.utf8)
        let topic = Array("clicks".utf8)
        #expect(decode([topic, body], topic: .first).records.count == 1)
        #expect(decode([topic, body], topic: .recognised).records.count == 1)
        #expect(decode([body], topic: .recognised).records.count == 1)
        #expect(decode([topic, body], topic: .none).reasons == [.malformedJSON])
        #expect(decode([topic], topic: .first).reasons == [.emptyMessage])
        #expect(decode([], topic: .none).reasons == [.emptyMessage])
        #expect(decode([body, body], topic: .none).reasons == [.badFrames])
    }

    @Test func boundsHold() {
        let many = "[" + Array(repeating: "1", count: 1000).joined(separator: ",") + "]"
        let decoded = decode(many, limits: EventLimits(keptRejections: 10))
        #expect(decoded.rejections.count == 10 && decoded.rejectedCount == 1000)
        #expect(decode(many, limits: EventLimits(messageBytes: 100)).reasons == [.tooLarge])
        #expect(decode(nested("[", "]", 1_000_000)).reasons == [.tooDeep])
        #expect(decode(nested("{\"a\":", "}", 300_000)).reasons == [.tooDeep])
        #expect(decode(String(repeating: "[", count: 1_000_000)).reasons == [.malformedJSON])
        let tiny = EventBatch(recordCapacity: 2, featureCapacity: 1, textCapacity: 8, messageCapacity: 1)
        let text = #"[{"user":"too long for it","item":1},{"user":2,"item":1,"context":{"a":[1,2]}},{"user":3,"item":3}]"#
        let bounded = decode([Array(text.utf8)], batch: tiny)
        #expect(bounded.reasons == [.tooLarge, .tooLarge] && bounded.records.map(\.user) == ["#3"])
    }

    /// However small the batches are, the records are the same and the parts are marked.
    @Test func resumesInTheNextBatch() {
        var random = Randomness(state: 9)
        for round in 0..<300 {
            let count = Int(random.next() % 40) + 1
            let records = (0..<count).map { index -> String in
                switch random.next() % 6 {
                case 0: "{\"user\":\"user\(index)\",\"item\":\(index),\"context\":{\"a\":[1,\"b\"],\"c\":0.5}}"
                case 1: "{\"user\":\(index)}"
                case 2: "{\"entity\":\"item\",\"id\":\"i\(index)\",\"attributes\":{\"x\":\(index)}}"
                default: "{\"user\":\(index),\"item\":\"\(index * 7)x\",\"type\":\"t\(index % 3)\"}"
                }
            }
            let text =
                switch round % 3 {
                case 0: "[" + records.joined(separator: ",") + "]"
                case 1: records.joined(separator: "\n")
                default: "[" + records.joined(separator: ",") + ",{\"user\":1e999}]"
                }
            let whole = decode(text)
            let small = EventBatch(
                recordCapacity: 1 + Int(random.next() % 9), featureCapacity: 3 + Int(random.next() % 9),
                textCapacity: 24 + Int(random.next() % 60), messageCapacity: 1 + Int(random.next() % 2))
            let parts = decode([Array(text.utf8)], batch: small)
            #expect(parts.records == whole.records)
            #expect(parts.reasons == whole.reasons && parts.rejections.map(\.bodyRange) == whole.rejections.map(\.bodyRange))
            for (index, entry) in parts.entries.enumerated() {
                #expect(entry.isContinuation == (index > 0) && entry.isComplete == (index == parts.entries.count - 1))
            }
        }
    }

    /// One decoder takes 10,000 damaged messages, and a good one after.
    @Test func damageNeverCrashes() {
        let seeds = [
            #"{"user":"u1","item":7,"type":"view","value":-2.5,"time":"2024-01-02T00:00:00.5+01:00","context":{"a":[1,"x"],"m":{"x":0.25}},"source":"s","seq":9}"#,
            #"[{"user":1,"item":2},{"entity":"item","id":"a","attributes":{"g":["x"]}},{"hide":{"item":"a"}},{"undo":{"user":1,"item":2}}]"#,
            "{\"user\":1,\"item\":2}\n{\"forget\":{\"user\":1}}\n{\"user\":\"é😀\",\"item\":2}",
            #"{"beat":{"source":"s","epoch":1,"last_seq":3}}"#,
        ].map { Array($0.utf8) }
        let decoder = EventDecoder(hashing: hashing)
        let batch = EventBatch(recordCapacity: 3, featureCapacity: 8, textCapacity: 256, messageCapacity: 4)
        var random = Randomness(state: 77)
        let marks = Array("{}[]\",:\\\n 0eE-.u".utf8)
        for _ in 0..<10_000 {
            var message = seeds[Int(random.next() % UInt64(seeds.count))]
            for _ in 0...(random.next() % 4) where !message.isEmpty {
                let place = Int(random.next() % UInt64(message.count))
                switch random.next() % 4 {
                case 0: message[place] = UInt8(truncatingIfNeeded: random.next())
                case 1: message[place] = marks[Int(random.next() % UInt64(marks.count))]
                case 2: message.removeSubrange(place..<min(message.count, place + Int(random.next() % 9)))
                default: message.insert(marks[Int(random.next() % UInt64(marks.count))], at: place)
                }
            }
            let decoded = decode([message], batch: batch, decoder: decoder)
            #expect(decoded.entries.last?.isComplete == true)
            #expect(decoded.rejections.allSatisfy { $0.bodyRange.upperBound <= message.count })
        }
        #expect(decode([seeds[1]], batch: batch, decoder: decoder).records.count == 4)
    }
}

private func nested(_ open: String, _ close: String, _ count: Int) -> String {
    String(repeating: open, count: count) + "1" + String(repeating: close, count: count)
}
