import StreamTools

/// A bar of a plot: a ratio with its spread.
private struct PlottedBar {
    let label: String
    let ratio: Spread
    /// Green where true, orange where false; grey where it is not for being judged.
    let isGood: Bool?
    let text: String
}

/// One SVG picture of a group: each benchmark's ratios to its baselines as bars with whiskers, around the line of 1.
func plot(group: String, _ measurements: [Measurement]) -> String? {
    let bars = measurements.flatMap { measurement in
        measurement.baselines.filter { $0.ratio.median.isFinite && $0.name != Roofline.name }.map { baseline in
            let ratio = baseline.ratio.median, isRate = measurement.metric.isRate
            return PlottedBar(
                label: "\(measurement.benchmark.dropFirst(group.count + 1)) \(measurement.metric.name) ÷ \(baseline.name)",
                ratio: baseline.ratio, isGood: isRate ? ratio >= 1 : ratio <= 1,
                text: "\(Quantity.fixed(ratio, 2))×  (\(Quantity.short(measurement.value.median)) \(measurement.metric.unit))")
        }
    }
    return plot(
        title: "\(group): ratio to the baseline of the same run",
        note: "Median of the rounds; whiskers from the least to the most. Green is better than or equal to the baseline.", bars)
}

/// The fraction of the roofline that each training benchmark reaches.
func rooflinePlot(_ measurements: [Measurement]) -> String? {
    let bars = measurements.flatMap { measurement in
        measurement.baselines.filter { $0.name == Roofline.name && $0.ratio.median.isFinite }.map { baseline in
            PlottedBar(
                label: measurement.benchmark, ratio: baseline.ratio, isGood: nil,
                text: "\(Quantity.fixed(baseline.ratio.median * 100, 0)) %  (roof \(Quantity.short(baseline.value.median)) \(measurement.metric.unit))")
        }
    }
    return plot(
        title: "fraction of the roofline", note: "Bytes touched per event, against the bandwidth of a sweep over as many bytes in the same round.", bars)
}

private func plot(title: String, note: String, _ bars: [PlottedBar]) -> String? {
    guard !bars.isEmpty else { return nil }
    let left = 400.0, span = 420.0, line = 22.0, top = 56.0, width = left + span + 220
    let height = top + line * Double(bars.count) + 16
    // Beyond four times, bars are cut: what matters lies around 1.
    let scale = span / min(4, max(1.25, bars.map(\.ratio.most).max()! * 1.05))
    func x(_ ratio: Double) -> Double { left + min(span, max(0, ratio * scale)) }
    func number(_ value: Double) -> String { Quantity.fixed(value, 1) }
    var svg = """
        <svg xmlns="http://www.w3.org/2000/svg" width="\(number(width))" height="\(number(height))" font-family="sans-serif" font-size="12">
        <rect width="100%" height="100%" fill="white"/>
        <text x="12" y="24" font-size="16">\(escaped(title))</text>
        <text x="12" y="42" fill="#666">\(escaped(note))</text>

        """
    for (index, bar) in bars.enumerated() {
        let y = top + line * Double(index), middle = number(y + line / 2 - 2)
        let colour = bar.isGood.map { $0 ? "#4a9d5b" : "#d08a3e" } ?? "#7d8ca3"
        svg += """
            <text x="\(number(left - 8))" y="\(number(y + 13))" text-anchor="end">\(escaped(bar.label))</text>
            <rect x="\(number(left))" y="\(number(y + 3))" width="\(number(x(bar.ratio.median) - left))" height="12" fill="\(colour)"/>
            <line x1="\(number(x(bar.ratio.least)))" x2="\(number(x(bar.ratio.most)))" y1="\(middle)" y2="\(middle)" stroke="#222"/>
            <text x="\(number(left + span + 8))" y="\(number(y + 13))" fill="#444">\(escaped(bar.text))</text>

            """
    }
    svg += """
        <line x1="\(number(x(1)))" x2="\(number(x(1)))" y1="\(number(top - 4))" y2="\(number(height - 12))" stroke="#a33" stroke-dasharray="4 3"/>
        </svg>

        """
    return svg
}

/// A quantity over time as a line from zero up, with the straight line through it where there are points enough.
func plot(_ series: Series) -> String? {
    guard let end = series.points.last?.time, series.points.count > 1 else { return nil }
    let left = 90.0, width = 1040.0, top = 30.0, height = 150.0, bottom = 26.0, right = 16.0
    let most = max(series.points.map(\.value).max()! * 1.05, .leastNormalMagnitude)
    func x(_ time: Double) -> String { Quantity.fixed(left + (width - left - right) * time / end, 1) }
    func y(_ value: Double) -> String { Quantity.fixed(top + (height - top - bottom) * (1 - value / most), 1) }
    let path = series.points.map { "\(x($0.time)),\(y($0.value))" }.joined(separator: " ")
    let trend = Trend(series.points)
    var svg = """
        <svg xmlns="http://www.w3.org/2000/svg" width="\(Int(width))" height="\(Int(height))" font-family="sans-serif" font-size="12">
        <rect width="100%" height="100%" fill="white"/>
        <text x="12" y="18" font-size="14">\(escaped(series.name)), \(escaped(series.unit))</text>
        <polyline points="\(path)" fill="none" stroke="#3b6ea5" stroke-width="1.2"/>

        """
    for part in 0...2 {
        let value = most * Double(part) / 2, line = y(value)
        svg += """
            <line x1="\(left)" x2="\(width - right)" y1="\(line)" y2="\(line)" stroke="#ddd"/>
            <text x="\(left - 6)" y="\(line)" dy="4" text-anchor="end" fill="#444">\(escaped(Quantity.short(value)))</text>

            """
    }
    if trend.slope.isFinite {
        let first = series.points[0].time, middle = (first + end) / 2
        func line(_ time: Double) -> String { y(min(most, max(0, trend.mean + trend.slope * (time - middle)))) }
        svg += """
            <line x1="\(x(first))" x2="\(x(end))" y1="\(line(first))" y2="\(line(end))" stroke="#a33" stroke-dasharray="5 4"/>

            """
    }
    return svg + """
        <text x="\(left)" y="\(height - 8)" fill="#444">0 s</text>
        <text x="\(width - right)" y="\(height - 8)" text-anchor="end" fill="#444">\(Quantity.fixed(end, 0)) s</text>
        </svg>

        """
}

/// For text inside markup.
func escaped(_ text: String) -> String { HTMLPage.escaped(text) }
