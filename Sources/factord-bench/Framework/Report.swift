import StreamTools
import WireFormats

extension Measurement {
    /// One JSON object, one line.
    var json: String {
        var writer = JSONWriter(capacity: 1024)
        writer.beginObject()
        writer.member("benchmark", benchmark)
        writer.member("metric", metric.name)
        writer.member("unit", metric.unit)
        writer.member("more_is_better", metric.isRate)
        writer.member("rounds", rounds)
        writer.member("subject", subject)
        Measurement.write(value, &writer)
        writer.key("baselines")
        writer.beginArray()
        for baseline in baselines {
            writer.beginObject()
            writer.member("name", baseline.name)
            Measurement.write(baseline.value, &writer)
            writer.key("ratio")
            writer.beginObject()
            Measurement.write(baseline.ratio, &writer)
            writer.endObject()
            writer.endObject()
        }
        writer.endArray()
        for (name, note) in notes.sorted(by: { $0.key < $1.key }) {
            writer.key(name)
            writer.value(note)
        }
        writer.endObject()
        return String(decoding: writer.bytes, as: UTF8.self)
    }

    private static func write(_ spread: Spread, _ writer: inout JSONWriter) {
        writer.member("median", spread.median)
        writer.member("min", spread.least)
        writer.member("max", spread.most)
    }
}

/// The readable form: one line for each subject and baseline.
func table(_ measurements: [Measurement]) -> String {
    var table = TextTable(
        ["benchmark", "metric", "subject", "median", "min–max", "baseline", "median", "ratio", "min–max"],
        [.left, .left, .left, .right, .right, .left, .right, .right, .right])
    func short(_ number: Double) -> String { Quantity.short(number) }
    func range(_ spread: Spread) -> String { "\(short(spread.least)) – \(short(spread.most))" }
    func ratio(_ number: Double) -> String { Quantity.fixed(number, number < 9.995 ? 2 : 0) }
    for measurement in measurements {
        let left = [
            measurement.benchmark, measurement.metric.name, measurement.subject,
            "\(short(measurement.value.median)) \(measurement.metric.unit)", range(measurement.value),
        ]
        // Not every side knows every metric.
        let baselines = measurement.baselines.filter { $0.value.median.isFinite }
        if baselines.isEmpty { table.add(left) }
        for (index, baseline) in baselines.enumerated() {
            table.add(
                (index == 0 ? left : ["", "", "", "", ""]) + [
                    baseline.name, short(baseline.value.median), ratio(baseline.ratio.median) + "×",
                    "\(ratio(baseline.ratio.least)) – \(ratio(baseline.ratio.most))",
                ])
        }
    }
    return table.rendered()
}
