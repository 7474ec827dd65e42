import Glibc
import StreamTools

/// What a run leaves behind: one page for people with everything on it, and the figures for machines.
struct Report {
    let measurements: [Measurement]
    let facts: [(name: String, value: String)]

    /// Writes `report.html`, `table.txt` and `results.jsonl`, and `series.csv` where something was recorded over time.
    func write(to directory: String) throws {
        mkdir(directory, 0o755)
        let head = facts.map { "\($0.name): \($0.value)\n" }.joined()
        try TextFile.write(html, to: directory + "/report.html")
        try TextFile.write("\(head)\n\(bars)\n\(table(measurements))", to: directory + "/table.txt")
        try TextFile.write(measurements.map { $0.json + "\n" }.joined(), to: directory + "/results.jsonl")
        let lines = measurements.flatMap { measurement in
            measurement.series.flatMap { series in
                series.points.map { "\(measurement.benchmark),\(series.name),\(series.unit),\($0.time),\($0.value)\n" }
            }
        }
        if !lines.isEmpty { try TextFile.write("benchmark,series,unit,seconds,value\n" + lines.joined(), to: directory + "/series.csv") }
    }

    private var verdicts: [Verdict] { Bar.all.map { Verdict($0, measurements) } }

    private func asked(_ bar: Bar) -> String { "\(bar.isAtLeast ? "≥" : "≤") \(shortNumber(bar.bound))" }

    /// The bars as text.
    private var bars: String {
        var table = TextTable(["", "asked for", "bar", "closest figure", "of", "verdict"], [.right, .left, .right, .right])
        for verdict in verdicts {
            table.add([
                "\(verdict.bar.number)", verdict.bar.text, asked(verdict.bar), verdict.worst.map { shortNumber($0.value) } ?? "–",
                verdict.worst?.name ?? "", verdict.word,
            ])
        }
        return table.rendered()
    }

    // MARK: The page

    private var html: String {
        var groups: [String] = []
        for measurement in measurements where !groups.contains(measurement.group) { groups.append(measurement.group) }
        let sections = groups.map { group in section(group, measurements.filter { $0.group == group }) }
        return HTMLPage.page(
            title: "factord benchmark",
            body: """
                <p>Every figure stands beside a baseline measured in the same run, in turn with it, round by round; what counts is the ratio, the
                median over the pairs with its least and greatest.</p>
                \(factTable)
                <h2>What is asked for</h2>
                \(barTable)
                \(rooflineSection)
                \(sections.joined(separator: "\n"))
                """)
    }

    private var factTable: String {
        "<table>" + facts.map { "<tr><td>\(escaped($0.name))</td><td>\(escaped($0.value))</td></tr>" }.joined(separator: "\n") + "</table>"
    }

    private var barTable: String {
        let rows = verdicts.map { verdict in
            let style = verdict.figures.isEmpty ? "none" : verdict.reached == verdict.figures.count ? "good" : "bad"
            return """
                <tr class="b"><td>\(verdict.bar.number)</td><td>\(escaped(verdict.bar.text))</td><td class="n">\(asked(verdict.bar))</td>\
                <td class="n">\(verdict.worst.map { shortNumber($0.value) } ?? "–")</td><td>\(escaped(verdict.worst?.name ?? ""))</td>\
                <td class="\(style)">\(verdict.word)</td></tr>
                """
        }
        return """
            <table><tr><th></th><th>asked for</th><th class="n">bar</th><th class="n">closest figure</th><th>of</th><th>verdict</th></tr>
            \(rows.joined(separator: "\n"))
            </table>
            """
    }

    private var rooflineSection: String {
        guard let picture = rooflinePlot(measurements) else { return "" }
        return """
            <h2>roofline</h2>
            <p>An event reads and writes the rows of its user, its item and its negatives, each of them factors and 16 bytes of state. The roof
            is the rate at which those bytes pass through a sweep that multiplies a block in place, as large as all rows of the workload, by as
            many threads: of the cache where rows fit it, of memory where not. Rows of frequent items stay in cache, so that out of cache the
            roof can be passed.</p>
            \(picture)
            """
    }

    private func section(_ group: String, _ measurements: [Measurement]) -> String {
        let rows = measurements.flatMap { measurement in
            let value = """
                <td>\(escaped(measurement.benchmark))</td><td>\(escaped(measurement.metric.name))</td>\
                <td class="n">\(escaped(shortNumber(measurement.value.median))) \(escaped(measurement.metric.unit))</td>\
                <td class="n">\(range(measurement.value))</td>
                """
            let others = measurement.baselines.filter { $0.ratio.median.isFinite }.map { baseline in
                """
                <td>\(escaped(baseline.name))</td><td class="n">\(shortNumber(baseline.value.median))</td>\
                <td class="n">\(Quantity.fixed(baseline.ratio.median, 2))×</td>\
                <td class="n">\(Quantity.fixed(baseline.ratio.least, 2)) – \(Quantity.fixed(baseline.ratio.most, 2))</td>
                """
            }
            guard let first = others.first else { return ["<tr class=\"b\">\(value)<td></td></tr>"] }
            return ["<tr class=\"b\">\(value)\(first)</tr>"] + others.dropFirst().map { "<tr><td colspan=\"4\"></td>\($0)</tr>" }
        }
        let notes = measurements.first.map(notesOf) ?? ""
        return """
            <h2>\(escaped(group))</h2>
            \(plot(group: group, measurements) ?? "")
            \(measurements.flatMap(\.series).compactMap { plot($0) }.joined(separator: "\n"))
            <table><tr><th>benchmark</th><th></th><th class="n">median</th><th class="n">min – max</th><th>baseline</th><th class="n">median</th>\
            <th class="n">ratio</th><th class="n">min – max</th></tr>
            \(rows.joined(separator: "\n"))
            </table>
            \(notes)
            """
    }

    /// The facts of a group that has only one set of them.
    private func notesOf(_ measurement: Measurement) -> String {
        guard !measurement.series.isEmpty else { return "" }
        let notes = measurement.notes.sorted { $0.key < $1.key }.map { "\($0.key.replacing("_", with: " ")) \(shortNumber($0.value))" }
        return "<p>\(escaped(notes.joined(separator: "; ")))</p>"
    }

    private func range(_ spread: Spread) -> String { "\(shortNumber(spread.least)) – \(shortNumber(spread.most))" }
}

/// Small numbers to three digits behind the point, others to three digits.
private func shortNumber(_ number: Double) -> String {
    guard number.isFinite else { return "–" }
    return number == number.rounded() && number.magnitude < 10_000 ? "\(Int(number))" : number.magnitude < 2 ? Quantity.fixed(number, 3) : Quantity.short(number)
}
