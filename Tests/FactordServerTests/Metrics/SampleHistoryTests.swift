import Testing
import WireFormats

@testable import FactordServer

/// The past that the dashboard draws.
@Suite("Sample history")
struct SampleHistoryTests {
    private func text(_ history: SampleHistory, _ span: SampleHistory.Span) -> String {
        var writer = JSONWriter()
        history.write(span, into: &writer)
        return writer.string
    }

    @Test("Samples come back oldest first, nothing as null, and never more than there is room for")
    func ring() throws {
        let history = SampleHistory()
        #expect(text(history, .seconds) == #"{"interval_seconds":1,"number":-1,"time_ms":[],"series":{}}"#)
        history.begin(["a", "b<"])
        history.add(.seconds, time: 1000, [1, .nan])
        history.add(.seconds, time: 2000, [2.5, 7])
        #expect(text(history, .seconds) == #"{"interval_seconds":1,"number":1,"time_ms":[1000,2000],"series":{"a":[1.0,2.5],"b<":[null,7.0]}}"#)
        #expect(text(history, .minutes) == #"{"interval_seconds":60,"number":-1,"time_ms":[],"series":{"a":[],"b<":[]}}"#)
        for second in 2..<1500 { history.add(.seconds, time: Int64(second) * 1000, [Double(second), 0]) }
        let parser = JSONParser()
        let long = text(history, .seconds)
        let tree = try parser.parse(long)
        let times = tree["time_ms"]?.elements.map { $0.compactMap(\.int64) } ?? [], values = tree["series"]?["a"]?.elements.map { $0.compactMap(\.double) } ?? []
        #expect(times == (900..<1500).map { $0 * 1000 } && values == (900..<1500).map(Double.init) && tree["number"]?.int64 == 1499)
        withExtendedLifetime(parser) {}
        var writer = JSONWriter()
        writer.beginObject()
        history.writeLast(into: &writer)
        writer.endObject()
        #expect(writer.string == #"{"now":{"number":1499,"time_ms":1499000,"a":1499.0,"b<":0.0}}"#)
    }
}
