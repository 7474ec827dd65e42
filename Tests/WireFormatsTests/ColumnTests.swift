import Factorization
import Testing
import WireFormats

@Suite struct ColumnTests {
    func message(_ columns: String, count: Int, _ frames: [[UInt8]], more: String = "") -> [[UInt8]] {
        [Array("{\"columns\":\(columns),\"count\":\(count)\(more)}".utf8)] + frames
    }

    /// Bytes as numpy's `tobytes` gives them, written by hand.
    @Test func goldenBytes() {
        let frames: [[UInt8]] = [
            Array("topic".utf8),
            Array(#"{"columns":[["user","<i8"],["item","<u4"],["value","<f4"],["time","<i8"]],"count":2,"source":"s","epoch":1,"seq":7}"#.utf8),
            [1, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF],
            [2, 1, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF],
            [0, 0, 0x80, 0x3F, 0, 0, 0x20, 0xC0],
            [0x00, 0xF1, 0x53, 0x65, 0, 0, 0, 0, 0x00, 0x68, 0xE5, 0xCF, 0x8B, 0x01, 0, 0],
        ]
        let decoded = decode(frames, topic: .first)
        #expect(
            decoded.records == [
                Plain(kind: .interaction, user: "#1", item: "#258", value: 1, time: 1_700_000_000_000),
                Plain(kind: .interaction, user: "#-1", item: "#4294967295", value: -2.5, time: 1_700_000_000_000),
            ])
        #expect(decoded.entries.count == 1 && decoded.entries[0] == ("s", 1, 7, true, false, true))
        #expect(decode(frames, topic: .recognised).records == decoded.records)
    }

    @Test func everyIntegerType() {
        func check<Element: FixedWidthInteger & BitwiseCopyable>(_ dtype: String, _ type: Element.Type) {
            let values: [Element] = [.min, 0, 1, .max]
            let decoded = decode(message("[[\"user\",\"\(dtype)\"],[\"item\",\"|u1\"],[\"value\",\"\(dtype)\"]]", count: 4,
                [raw(values), [0, 1, 2, 255], raw(values.map { $0 % 100 })]))
            let expected = values.map { value in Int64(exactly: value).map { "#\($0)" } ?? "\"\(value)\"" }
            #expect(decoded.records.map(\.user) == expected, "\(dtype): \(decoded.rejections)")
            #expect(decoded.records.map(\.item) == ["#0", "#1", "#2", "#255"])
            #expect(decoded.records.map(\.value) == values.map { Float(Int64($0 % 100)) })
        }
        check("|i1", Int8.self)
        check("<i1", Int8.self)
        check("|u1", UInt8.self)
        check("<u1", UInt8.self)
        check("<i2", Int16.self)
        check("<u2", UInt16.self)
        check("<i4", Int32.self)
        check("<u4", UInt32.self)
        check("<i8", Int64.self)
        check("<u8", UInt64.self)
    }

    @Test func textsFloatsAndContext() {
        let frames =
            textColumn(["a", "12", "é😀"]) + textColumn(["x", "y", "7"]) + textColumn(["view", "", "buy"]) + [raw([0.5, 1, 2])]
            + [raw([Float(1.5), 2, -1])] + [raw([Int16(3), 4, 5])] + [raw([Float(0.25), .nan, 2])] + textColumn(["u", "", "w"])
        let decoded = decode(
            message(
                #"[["user","utf8"],["item","utf8"],["type","utf8"],["weight","<f8"],["time","<f4"],["context.hour","<i2"],["context.price","<f4"],["context.tag","utf8"]]"#,
                count: 3, frames, more: ",\"type\":\"default\""))
        #expect(
            decoded.records == [
                Plain(kind: .interaction, user: "\"a\"", item: "\"x\"", type: "view", weight: 0.5, time: 1500,
                    features: ["hour=#3*1.0", "price=#0*0.25", "tag=\"u\"*1.0"]),
                Plain(kind: .interaction, user: "#12", item: "\"y\"", type: "default", weight: 1, time: 2000,
                    features: ["hour=#4*1.0"]),
                Plain(kind: .interaction, user: "\"é😀\"", item: "#7", type: "buy", weight: 2, time: -1000,
                    features: ["hour=#5*1.0", "price=#0*2.0", "tag=\"w\"*1.0"]),
            ])
        #expect(decode(message(#"[["user","utf8"],["item","utf8"]]"#, count: 0, textColumn([]) + textColumn([]))).rejectedCount == 0)
    }

    @Test func rowsAreSetAsideAlone() {
        let decoded = decode(
            message(#"[["user","utf8"],["item","<i4"],["value","<f4"],["weight","<f4"],["time","<i8"]]"#, count: 5,
                textColumn(["a", "", "c", "d", "e"]) + [
                    raw([Int32(1), 2, 3, 4, 5]), raw([Float(1), 1, .nan, 1, 1]), raw([Float(1), 1, 1, -1, 1]),
                    raw([Int64(1), 1, 1, 1, .max]),
                ]))
        #expect(decoded.records.map(\.user) == ["\"a\""])
        #expect(decoded.reasons == [.badUser, .badValue, .badWeight, .badTime])
        #expect(decoded.rejections.map(\.record) == [1, 2, 3, 4])
    }

    @Test func damagedFramesAreRefused() {
        let users = raw([Int64(1), 2])
        let columns = #"[["user","<i8"],["item","<i8"]]"#
        func reasons(_ columns: String, _ count: Int, _ frames: [[UInt8]], more: String = "") -> [RejectionReason] {
            let decoded = decode(message(columns, count: count, frames, more: more))
            #expect(decoded.records.isEmpty && decoded.entries.count == 1)
            return decoded.reasons
        }
        #expect(reasons(columns, 2, [users, Array(users.dropLast())]) == [.badColumn])
        #expect(reasons(columns, 3, [users, users]) == [.badColumn])
        #expect(reasons(columns, 2, [users]) == [.badFrames])
        #expect(reasons(columns, 2, [users, users, users]) == [.badFrames])
        #expect(reasons(columns, -1, [users, users]) == [.badHeader])
        #expect(reasons(columns, 2, [users, users], more: ",\"type\":7") == [.badHeader])
        #expect(reasons(columns, 2, [users, users], more: ",\"seq\":\"7\"") == [.badNumbering])
        #expect(reasons(#"[["user","<i8"]]"#, 2, [users]) == [.missingItem])
        #expect(reasons(#"[["item","<i8"]]"#, 2, [users]) == [.missingUser])
        #expect(reasons(#"[["user","<i8"],["user","<i8"]]"#, 2, [users, users]) == [.badColumn])
        #expect(reasons(#"[["user","<f8"],["item","<i8"]]"#, 2, [users, users]) == [.badColumn])
        #expect(reasons(#"[["user",">i8"],["item","<i8"]]"#, 2, [users, users]) == [.badColumn])
        #expect(reasons(#"[["user","<i8"],["thing","<i8"]]"#, 2, [users, users]) == [.badColumn])
        #expect(reasons(#"[["user","<i8"],["context.","<i8"]]"#, 2, [users, users]) == [.badColumn])
        #expect(reasons(#"[["user","<i8"],["value","utf8"]]"#, 2, [users] + textColumn(["a", "b"])) == [.badColumn])
        #expect(reasons(#"[["user","<i8",1],["item","<i8"]]"#, 2, [users, users]) == [.badHeader])
        #expect(reasons(#"["user"]"#, 2, [users]) == [.badHeader])
        #expect(reasons(#"{"user":1}"#, 2, [users]) == [.badHeader])
    }

    @Test func damagedOffsetsAreRefused() {
        let text = Array("aéb".utf8)
        for offsets: [UInt32] in [[1, 1, 4], [0, 3, 2, 4], [0, 1, 5], [0, 1, 3], [0, 2, 4], [0, .max, 4], [0, 1, .max], [4, 0, 4]] {
            let decoded = decode(
                message(#"[["user","utf8"],["item","|u1"]]"#, count: offsets.count - 1,
                    [raw(offsets), text, [UInt8](repeating: 1, count: offsets.count - 1)]))
            #expect(decoded.reasons == [.badColumn] && decoded.records.isEmpty, "\(offsets)")
        }
        let wrong = decode(message(#"[["user","utf8"],["item","|u1"]]"#, count: 1, [raw([UInt32(0), 2]), [0xC3, 0x28], [1]]))
        #expect(wrong.reasons == [.badColumn])
        let good = decode(message(#"[["user","utf8"],["item","|u1"]]"#, count: 2, [raw([UInt32(0), 1, 4]), text, [1, 2]]))
        #expect(good.records.map(\.user) == ["\"a\"", "\"éb\""])
    }

    @Test func resumesInTheNextBatch() {
        var random = Randomness(state: 3)
        for _ in 0..<200 {
            let count = Int(random.next() % 50)
            let names = (0..<count).map { _ in String(repeating: "n", count: Int(random.next() % 12)) }
            let frames = message(#"[["user","utf8"],["item","<i4"],["context.f","<i4"]]"#, count: count,
                textColumn(names) + [raw((0..<Int32(count)).map { $0 }), raw((0..<Int32(count)).map { $0 * 3 })],
                more: ",\"type\":\"t\",\"source\":\"s\",\"seq\":1")
            let whole = decode(frames)
            let parts = decode(frames, batch: EventBatch(
                recordCapacity: 1 + Int(random.next() % 9), featureCapacity: 1 + Int(random.next() % 9),
                textCapacity: 16 + Int(random.next() % 60), messageCapacity: 1))
            #expect(parts.records == whole.records && parts.records.count == names.count { !$0.isEmpty })
            #expect(parts.reasons == whole.reasons)
            #expect(parts.entries.allSatisfy { $0.source == "s" && $0.sequence == 1 && $0.isNumbered })
        }
    }

    /// Columns of numbers go column by column; one of context, though it says nothing, makes the same rows go one by one.
    @Test(arguments: 0..<40 as Range<UInt64>)
    func rowsOfNumbersAreThoseOfTheFullWay(seed: UInt64) {
        var random = Randomness(state: seed)
        let count = Int(random.next() % 600), oneIn = 1 + random.next() % 300
        func column<Element: BitwiseCopyable>(_ good: (UInt64) -> Element, bad: [Element]) -> [UInt8] {
            raw((0..<count).map { _ in
                let word = random.next()
                return !bad.isEmpty && random.next() % oneIn == 0 ? bad[Int(word % UInt64(bad.count))] : good(word)
            })
        }
        var names = [#"["user","<u8"]"#, #"["item","<i2"]"#]
        // An id past Int64 is a text: no fault, but nothing for the short way.
        var frames = [column({ $0 >> 1 }, bad: [.max]), column({ Int16(truncatingIfNeeded: $0) }, bad: [])]
        if random.next() % 2 == 0 {
            names.append(#"["value","<f4"]"#)
            frames.append(column({ Float($0 % 100) / 8 }, bad: [.nan, 2e9, -.infinity]))
        }
        if random.next() % 2 == 0 {
            names.append(#"["weight","<f8"]"#)
            frames.append(column({ Double($0 % 100) / 8 }, bad: [.nan, -1, 2e6]))
        }
        if random.next() % 2 == 0 {
            names.append(#"["time","<i8"]"#)
            frames.append(column({ Int64($0 % 2_000_000_000) }, bad: [.max, .min]))
        }
        func decoded(_ names: [String], _ frames: [[UInt8]]) -> Decoded {
            let batch = EventBatch(recordCapacity: 1 + Int(random.next() % 1000), featureCapacity: 1, textCapacity: 64, messageCapacity: 2)
            return decode(message("[\(names.joined(separator: ","))]", count: count, frames, more: #","type":"t""#), batch: batch)
        }
        let short = decoded(names, frames)
        let full = decoded(names + [#"["context.none","<f4"]"#], frames + [raw([Float](repeating: .nan, count: count))])
        #expect(short.records == full.records && short.rejectedCount == full.rejectedCount)
        #expect(short.records.count + short.rejectedCount == count)
        #expect(short.rejections.map(\.record) == full.rejections.map(\.record) && short.reasons == full.reasons)
    }

    @Test func damageNeverCrashes() {
        let seed = message(#"[["user","utf8"],["item","<i4"],["value","<f4"],["context.f","utf8"]]"#, count: 3,
            textColumn(["a", "é", "ccc"]) + [raw([Int32(1), 2, 3]), raw([Float(1), 2, 3])] + textColumn(["x", "", "z"]))
        let decoder = EventDecoder(hashing: hashing)
        let batch = EventBatch(recordCapacity: 2, featureCapacity: 4, textCapacity: 64, messageCapacity: 2)
        var random = Randomness(state: 5)
        for _ in 0..<10_000 {
            var frames = seed
            for _ in 0...(random.next() % 3) {
                let frame = Int(random.next() % UInt64(frames.count))
                switch random.next() % 8 {
                case 0: frames.remove(at: frame)
                case 1: frames.insert(frames[frame], at: frame)
                case 2 where !frames[frame].isEmpty: frames[frame].removeLast()
                default:
                    guard !frames[frame].isEmpty else { continue }
                    frames[frame][Int(random.next() % UInt64(frames[frame].count))] = UInt8(truncatingIfNeeded: random.next())
                }
                if frames.isEmpty { frames = seed }
            }
            #expect(decode(frames, batch: batch, decoder: decoder).entries.last?.isComplete == true)
        }
        #expect(decode(seed, batch: batch, decoder: decoder).records.count == 3)
    }
}
