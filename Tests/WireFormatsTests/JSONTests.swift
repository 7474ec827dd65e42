import Testing
import WireFormats

@Suite struct JSONTests {
    @Test func readsEveryKind() throws {
        let parser = JSONParser()
        let root = try parser.parse(#"{"a":-1,"b":18446744073709551615,"c":1.5,"d":true,"e":false,"f":null,"g":"x\n\u00e9","h":[1,[2],{}],"a":2}"#)
        #expect(root["a"]?.int64 == 2, "the last of two keys counts")
        #expect(root["b"]?.uint64 == .max && root["b"]?.int64 == nil && root["b"]?.kind == .uint64)
        #expect(root["c"]?.double == 1.5 && root["c"]?.int64 == nil)
        #expect(root["d"]?.bool == true && root["e"]?.bool == false && root["e"]?.kind == .bool)
        #expect(root["f"]?.isNull == true && root["z"] == nil)
        #expect(root["g"]?.string == "x\né")
        #expect(root["h"]?.count == 3 && root.count == 9)
        let kinds = root["h"]?.elements?.map(\.kind)
        #expect(kinds == [.int64, .array, .object])
        #expect(root["a"]?.members == nil && root["h"]?["a"] == nil)
    }

    @Test func refusesWhatIsNotJSON() {
        let parser = JSONParser(maxBytes: 4096, maxDepth: 8)
        for text in ["", " ", "{", "[1,]", "{\"a\" 1}", "nul", "\"\u{1}\"", "1 2", "[18446744073709551616]"] {
            #expect(throws: JSONError.self) { try parser.parse(text) }
        }
        #expect(throws: JSONError.tooDeep(limit: 8)) { try parser.parse(String(repeating: "[", count: 2000) + String(repeating: "]", count: 2000)) }
        #expect(throws: JSONError.tooLarge(bytes: 5000, limit: 4096)) { try parser.parse(String(repeating: " ", count: 5000)) }
        #expect((try? parser.parse("[1]").count) == 1, "the parser works after faults")
    }

    @Test func writesFloatsInTheirShortestForm() {
        var writer = JSONWriter()
        var state: UInt64 = 7
        for step in 0..<200_000 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            let bits = state >> 32
            // Any float; decimals of a few digits; scores.
            let number: Float = switch step % 3 {
            case 0: Float(bitPattern: UInt32(truncatingIfNeeded: bits))
            case 1: Float(Int64(bits % 2_000_001) - 1_000_000) / [1, 10, 1000, 10_000_000][step % 4]
            default: Float(bits) / Float(UInt32.max) * 8 - 4
            }
            guard number.isFinite else { continue }
            writer.reset()
            writer.value(number)
            #expect(writer.string == number.description)
        }
    }

    @Test func growsWithItsTexts() throws {
        let parser = JSONParser()
        for count in [10, 100_000, 5, 400_000] {
            let text = "[" + (0..<count).map(String.init).joined(separator: ",") + "]"
            #expect(try parser.parse(text).elements?.map { $0.int64! } == (0..<Int64(count)).map { $0 })
        }
    }

    @Test func writesGoldenText() {
        var writer = JSONWriter(capacity: 1)
        writer.beginObject()
        writer.key("a")
        writer.beginArray()
        writer.value(Int64.min)
        writer.value(UInt64.max)
        writer.value(0)
        writer.value(true)
        writer.null()
        writer.value(Float(0.1))
        writer.value(0.1)
        writer.value(Double.nan)
        writer.value(-Float.infinity)
        writer.value(1e300)
        writer.endArray()
        writer.key("q\"\u{1}" as String)
        writer.value("\\ \" \n \r \t \u{8} \u{c} \u{1f} é 😀")
        writer.key("o")
        writer.beginObject()
        writer.endObject()
        writer.endObject()
        #expect(
            writer.string
                == #"{"a":[-9223372036854775808,18446744073709551615,0,true,null,0.1,0.1,null,null,1e+300],"q\"\u0001":"\\ \" \n \r \t \b \f \u001f é 😀","o":{}}"#)
        writer.reset()
        let broken: [UInt8] = [0x61, 0xFF, 0x62]
        broken.withUnsafeBytes { writer.value($0) }
        #expect(writer.string == "\"a\u{FFFD}b\"", "the output is UTF-8 whatever comes in")
    }

    /// What is written reads back as it was: numbers to the bit, texts to the byte.
    @Test func roundTrips() throws {
        var random = Randomness(state: 1)
        let parser = JSONParser()
        for _ in 0..<2000 {
            let double = Double(bitPattern: random.next())
            let float = Float(bitPattern: UInt32(truncatingIfNeeded: random.next()))
            let integer = Int64(bitPattern: random.next()) >> Int64(random.next() % 64)
            let text = String(String.UnicodeScalarView((0..<(random.next() % 40)).compactMap { _ in
                Unicode.Scalar(UInt32(random.next() % (random.next() % 2 == 0 ? 128 : 0x11_0000)))
            }))
            var writer = JSONWriter()
            writer.beginArray()
            writer.value(double)
            writer.value(float)
            writer.value(integer)
            writer.value(text)
            writer.endArray()
            let first = writer.string
            let root = try parser.parse(first)
            let values = Array(root.elements!)
            #expect(double.isFinite ? values[0].double == double : values[0].isNull)
            #expect(float.isFinite ? values[1].double.map { Float($0) } == float : values[1].isNull)
            #expect(values[2].int64 == integer)
            #expect(values[3].string.map { Array($0.utf8) } == Array(text.utf8))
            writer.reset()
            writer.value(root)
            let again = try parser.parse(writer.string)
            #expect(again.count == 4)
        }
    }
}
