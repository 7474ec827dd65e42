import Factorization
import Testing
import WireFormats

@Suite struct RecordTests {
    @Test func fullInteraction() {
        let decoded = decode(
            #"{"user":"u1","item":7,"type":"view","value":-2.5,"weight":0.5,"time":"1970-01-02T00:00:00.5+01:00","extra":[1],"context":{"hour":13,"day":"sun","on":true,"price":12.5,"tags":["a",2,"3"],"mix":{"x":0.25,"4":2},"none":null},"source":"s","epoch":2,"seq":9}"#)
        #expect(
            decoded.records == [
                Plain(
                    kind: .interaction, user: "\"u1\"", item: "#7", type: "view", value: -2.5, weight: 0.5, time: 82_800_500,
                    features: [
                        "hour=#13*1.0", "day=\"sun\"*1.0", "on=\"true\"*1.0", "price=#0*12.5", "tags=\"a\"*1.0", "tags=#2*1.0",
                        "tags=#3*1.0", "mix=\"x\"*0.25", "mix=#4*2.0",
                    ])
            ])
        #expect(decoded.entries.count == 1 && decoded.entries[0] == ("s", 2, 9, true, false, true))
    }

    @Test func everyOtherRecord() {
        let cases: [(String, Plain)] = [
            (#"{"user":1,"item":2}"#, Plain(kind: .interaction, user: "#1", item: "#2")),
            (#"{"user":1,"item":2,"type":null,"value":null,"context":{}}"#, Plain(kind: .interaction, user: "#1", item: "#2")),
            (#"{"entity":"item","id":"a","attributes":{"genre":["x"]}}"#,
             Plain(kind: .itemAttributes, user: "#0", item: "\"a\"", features: ["genre=\"x\"*1.0"])),
            (#"{"entity":"item","id":"a","attributes":{},"expires":"1970-01-01T00:00:02Z"}"#,
             Plain(kind: .itemAttributes, user: "#0", item: "\"a\"", time: 2000)),
            (#"{"entity":"item","id":"a","attributes":{},"expires":1700000000000}"#,
             Plain(kind: .itemAttributes, user: "#0", item: "\"a\"", time: 1_700_000_000_000)),
            (#"{"entity":"item","id":"a","attributes":{},"expires":null}"#, Plain(kind: .itemAttributes, user: "#0", item: "\"a\"")),
            (#"{"entity":"user","id":5,"attributes":{}}"#, Plain(kind: .userAttributes, user: "#5", item: "#0")),
            (#"{"hide":{"item":"a"}}"#, Plain(kind: .hideItem, user: "#0", item: "\"a\"")),
            (#"{"unhide":{"item":3}}"#, Plain(kind: .unhideItem, user: "#0", item: "#3")),
            (#"{"forget":{"user":"u"}}"#, Plain(kind: .forgetUser, user: "\"u\"", item: "#0")),
            (#"{"forget":{"item":"i"}}"#, Plain(kind: .forgetItem, user: "#0", item: "\"i\"")),
            (#"{"undo":{"user":1,"item":2,"type":"buy"}}"#, Plain(kind: .undo, user: "#1", item: "#2", type: "buy")),
        ]
        for (text, record) in cases {
            let decoded = decode(text)
            #expect(decoded.records == [record], "\(text)")
            #expect(decoded.rejectedCount == 0 && decoded.entries.count == 1)
        }
    }

    @Test func beatCarriesItsNumbering() {
        let decoded = decode(#"{"beat":{"source":"s","epoch":4,"last_seq":77}}"#)
        #expect(decoded.records == [Plain(kind: .beat, user: "#0", item: "#0")])
        #expect(decoded.entries[0] == ("s", 4, 77, true, false, true))
        #expect(decode(#"[{"beat":{"source":"s","epoch":4,"last_seq":77}}]"#).reasons == [.badBeat])
    }

    @Test(arguments: [
        (#"{"user":1"#, RejectionReason.malformedJSON), ("x", .malformedJSON), ("", .emptyMessage), (" \n ", .emptyMessage),
        ("[1]", .notAnObject), (#"["a"]"#, .notAnObject), (#"{"item":1}"#, .missingUser), (#"{"user":null,"item":1}"#, .missingUser),
        (#"{"user":1}"#, .missingItem), (#"{"user":1.0,"item":1}"#, .badUser), (#"{"user":"","item":1}"#, .badUser),
        (#"{"user":[],"item":1}"#, .badUser), (#"{"user":1,"item":true}"#, .badItem), (#"{"user":1,"item":1,"type":1}"#, .badType),
        (#"{"user":1,"item":1,"type":""}"#, .badType), (#"{"user":1,"item":1,"value":"1"}"#, .badValue),
        (#"{"user":1,"item":1,"value":1.1e9}"#, .badValue), (#"{"user":1,"item":1,"weight":-1}"#, .badWeight),
        (#"{"user":1,"item":1,"weight":2e6}"#, .badWeight), (#"{"user":1,"item":1,"time":"yesterday"}"#, .badTime),
        (#"{"user":1,"item":1,"time":1700000000000000}"#, .badTime), (#"{"user":1,"item":1,"time":true}"#, .badTime),
        (#"{"entity":"user","id":1,"attributes":{},"expires":5}"#, .badEntity), (#"{"entity":"item","id":1,"attributes":{},"expires":"soon"}"#, .badTime),
        (#"{"user":1,"item":1,"context":[]}"#, .badContext), (#"{"user":1,"item":1,"context":{"":1}}"#, .badContext),
        (#"{"user":1,"item":1,"context":{"a":""}}"#, .badContext), (#"{"user":1,"item":1,"context":{"a":[[1]]}}"#, .badContext),
        (#"{"user":1,"item":1,"context":{"a":[0.5]}}"#, .badContext), (#"{"user":1,"item":1,"context":{"a":{"b":"c"}}}"#, .badContext),
        (#"{"user":1,"item":1,"context":{"a":1e30}}"#, .badContext), (#"{"user":1,"item":1,"context":{"a":[1,2,3,4,5]}}"#, .tooManyFeatures),
        (#"{"entity":"shop","id":1,"attributes":{}}"#, .badEntity), (#"{"entity":"item","attributes":{}}"#, .badEntity),
        (#"{"entity":"item","id":1.5,"attributes":{}}"#, .badEntity), (#"{"entity":"item","id":1}"#, .badAttributes),
        (#"{"entity":"item","id":1,"attributes":[1]}"#, .badAttributes), (#"{"hide":1}"#, .badCommand), (#"{"hide":{}}"#, .missingItem),
        (#"{"forget":{"user":1,"item":2}}"#, .badCommand), (#"{"forget":{}}"#, .badCommand), (#"{"undo":{"item":1}}"#, .missingUser),
        (#"{"hide":{"item":1},"undo":{}}"#, .badCommand), (#"{"beat":1}"#, .badBeat), (#"{"beat":{"source":"s"}}"#, .badBeat),
        (#"{"user":1,"item":1,"source":7}"#, .badNumbering), (#"{"user":1,"item":1,"source":"s","seq":-1}"#, .badNumbering),
        (#"{"user":1,"item":1,"epoch":1.5}"#, .badNumbering), (#"{"user":1,"item":1,"x":[[[[[[[[[[[[[]]]]]]]]]]]]]}"#, .tooDeep),
        (#"{"columns":1,"count":1}"#, .badHeader),
    ])
    func rejects(text: String, reason: RejectionReason) {
        let decoded = decode(text, limits: EventLimits(depth: 8, features: 4))
        #expect(decoded.reasons == [reason], "\(text): \(decoded.rejections)")
        #expect(decoded.records.isEmpty && decoded.entries.count == 1, "the message itself is reported")
    }

    @Test func reasonNamesAreStable() {
        #expect(RejectionReason.allCases.allSatisfy { $0.rawValue.allSatisfy { $0.isLowercase || $0 == "_" } })
        #expect(RejectionReason.malformedJSON.rawValue == "malformed_json" && RejectionReason.badColumn.rawValue == "bad_column")
        #expect(RejectionReason.allCases.enumerated().allSatisfy { $0.offset == $0.element.ordinal })
    }

    @Test func idsUnderBothPolicies() {
        let cases: [(json: String, canonical: String?, exact: String?)] = [
            ("1", "#1", "#1"), ("\"1\"", "#1", "\"1\""), ("\"01\"", "\"01\"", "\"01\""), ("\"-0\"", "\"-0\"", "\"-0\""), ("-0", "#0", "#0"),
            ("\"0\"", "#0", "\"0\""), ("\"+1\"", "\"+1\"", "\"+1\""), ("\" 1\"", "\" 1\"", "\" 1\""), ("-5", "#-5", "#-5"), ("\"-5\"", "#-5", "\"-5\""),
            ("9223372036854775807", "#9223372036854775807", "#9223372036854775807"),
            ("-9223372036854775808", "#-9223372036854775808", "#-9223372036854775808"),
            ("\"-9223372036854775808\"", "#-9223372036854775808", "\"-9223372036854775808\""),
            ("\"9223372036854775808\"", "\"9223372036854775808\"", "\"9223372036854775808\""),
            ("18446744073709551615", "\"18446744073709551615\"", nil), ("\"18446744073709551615\"", "\"18446744073709551615\"", "\"18446744073709551615\""),
        ]
        for (json, canonical, exact) in cases {
            #expect(decode("{\"user\":\(json),\"item\":1}").records.first?.user == canonical, "\(json)")
            #expect(decode("{\"user\":\(json),\"item\":1}", policy: .exact).records.first?.user == exact, "\(json)")
        }
        let longest = String(repeating: "é", count: 512)
        #expect(decode("{\"user\":\"\(longest)\",\"item\":1}").records.count == 1)
        #expect(decode("{\"user\":\"\(longest)x\",\"item\":1}").reasons == [.badUser])
    }

    @Test func times() {
        let cases: [(String, Int64?)] = [
            ("0", 0), ("1700000000", 1_700_000_000_000), ("1700000000.5", 1_700_000_000_500), ("1700000000123", 1_700_000_000_123),
            ("-1.0", -1000), ("99999999999", 99_999_999_999_000), ("100000000000", 100_000_000_000), ("253402300799999", 253_402_300_799_999),
            ("253402300800000", nil), ("18446744073709551615", nil), ("1e300", nil),
            ("\"2024-02-29T12:00:00Z\"", 1_709_208_000_000), ("\"2023-02-29T12:00:00Z\"", nil), ("\"2000-02-29t00:00:00.1239z\"", 951_782_400_123),
            ("\"1900-02-29T00:00:00Z\"", nil), ("\"1969-12-31T23:59:59.999Z\"", -1), ("\"2016-12-31T23:59:60Z\"", 1_483_228_800_000),
            ("\"2024-01-01T00:00:00-08:00\"", 1_704_096_000_000), ("\"2024-01-01T00:00:00\"", nil), ("\"2024-01-01T00:00:00.Z\"", nil),
            ("\"2024-13-01T00:00:00Z\"", nil), ("\"2024-01-01T24:00:00Z\"", nil), ("\"2024-01-01T00:00:00Z \"", nil),
            ("\"2024-01-01T00:00:00+0100\"", nil), ("\"0001-01-01T00:00:00Z\"", -62_135_596_800_000),
        ]
        for (json, expected) in cases {
            let decoded = decode("{\"user\":1,\"item\":1,\"time\":\(json)}")
            #expect(decoded.records.first?.time == expected, "\(json)")
            #expect(decoded.reasons == (expected == nil ? [.badTime] : []), "\(json)")
        }
    }
}
