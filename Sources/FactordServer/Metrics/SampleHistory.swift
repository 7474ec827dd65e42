import LinuxSystem
import WireFormats

/// The past of what the dashboard draws: a sample each second for ten minutes, and the means of each minute for a day. Bounded; any thread.
final class SampleHistory: Sendable {
    /// Which of the two.
    enum Span: Sendable {
        case seconds, minutes

        /// Samples kept.
        var capacity: Int { self == .seconds ? 600 : 1440 }
        /// Seconds from one to the next.
        var interval: Int { self == .seconds ? 1 : 60 }
    }

    private struct Ring {
        let span: Span
        /// Milliseconds since 1970, by place.
        var times: [Int64] = []
        /// By series, then by place. NaN is nothing.
        var columns: [[Float]] = []
        /// Samples ever added; the newest has the number `count - 1` and lies at that modulo the capacity.
        var count = 0

        init(_ span: Span, series: Int = 0) {
            self.span = span
            times = [Int64](repeating: 0, count: series == 0 ? 0 : span.capacity)
            columns = (0..<series).map { _ in [Float](repeating: .nan, count: span.capacity) }
        }

        mutating func add(_ time: Int64, _ values: [Double]) {
            let place = count % span.capacity
            times[place] = time
            for (index, value) in values.enumerated() { columns[index][place] = Float(value) }
            count += 1
        }

        /// Places from the oldest to the newest.
        var places: [Int] { (max(0, count - span.capacity)..<count).map { $0 % span.capacity } }
    }
    private struct State {
        var names: [String] = []
        var seconds = Ring(.seconds)
        var minutes = Ring(.minutes)
    }
    private let state = Lock(State())

    /// Names the series; before the first sample.
    func begin(_ names: [String]) {
        state.withLock { $0 = State(names: names, seconds: Ring(.seconds, series: names.count), minutes: Ring(.minutes, series: names.count)) }
    }

    /// Adds a sample, a value for each series.
    func add(_ span: Span, time: Int64, _ values: [Double]) {
        state.withLock { state in
            precondition(values.count == state.names.count, "a sample has a value for each series")
            if span == .seconds { state.seconds.add(time, values) } else { state.minutes.add(time, values) }
        }
    }

    /// `{"interval_seconds":1,"number":41,"time_ms":[…],"series":{"received":[…],…}}`, oldest first; `number` is the newest's.
    func write(_ span: Span, into writer: inout JSONWriter) {
        let (names, ring) = state.withLock { ($0.names, span == .seconds ? $0.seconds : $0.minutes) }
        let places = ring.places
        writer.beginObject()
        writer.member("interval_seconds", span.interval)
        writer.member("number", ring.count - 1)
        writer.key("time_ms")
        writer.beginArray()
        for place in places { writer.value(ring.times[place]) }
        writer.endArray()
        writer.key("series")
        writer.beginObject()
        for (name, column) in zip(names, ring.columns) {
            writer.key(name)
            writer.beginArray()
            for place in places { writer.value(column[place]) }
            writer.endArray()
        }
        writer.endObject()
        writer.endObject()
    }

    /// The newest second: `{"number":41,"time_ms":…,"received":…,…}`; nothing before there is one.
    func writeLast(into writer: inout JSONWriter) {
        let last: (number: Int, time: Int64, values: [(String, Float)])? = state.withLock { state in
            guard let place = state.seconds.places.last else { return nil }
            return (state.seconds.count - 1, state.seconds.times[place], zip(state.names, state.seconds.columns).map { ($0, $1[place]) })
        }
        guard let last else { return }
        writer.key("now")
        writer.beginObject()
        writer.member("number", last.number)
        writer.key("time_ms")
        writer.value(last.time)
        for (name, value) in last.values {
            writer.key(name)
            writer.value(value)
        }
        writer.endObject()
    }
}
