import StreamTools

/// One SVG picture of a group: each benchmark's ratios to its baselines as bars with whiskers, around the line of 1.
func plot(group: String, _ measurements: [Measurement]) -> String? {
    struct Bar {
        let label: String
        let ratio: Spread
        let isRate: Bool
        let text: String
    }
    let bars = measurements.flatMap { measurement in
        measurement.baselines.filter { $0.ratio.median.isFinite }.map { baseline in
            Bar(
                label: "\(measurement.benchmark.dropFirst(group.count + 1)) \(measurement.metric.name) ÷ \(baseline.name)",
                ratio: baseline.ratio, isRate: measurement.metric.isRate,
                text: "\(Quantity.fixed(baseline.ratio.median, 2))×  (\(Quantity.short(measurement.value.median)) \(measurement.metric.unit))")
        }
    }
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
        <text x="12" y="24" font-size="16">\(escaped(group)): ratio to the baseline of the same run</text>
        <text x="12" y="42" fill="#666">Median of the rounds; whiskers from the least to the most. Green is better than or equal to the baseline.</text>

        """
    for (index, bar) in bars.enumerated() {
        let y = top + line * Double(index), middle = number(y + line / 2 - 2)
        let isGood = bar.isRate ? bar.ratio.median >= 1 : bar.ratio.median <= 1
        svg += """
            <text x="\(number(left - 8))" y="\(number(y + 13))" text-anchor="end">\(escaped(bar.label))</text>
            <rect x="\(number(left))" y="\(number(y + 3))" width="\(number(x(bar.ratio.median) - left))" height="12" fill="\(isGood ? "#4a9d5b" : "#d08a3e")"/>
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

private func escaped(_ text: String) -> String {
    var result = ""
    for character in text {
        switch character {
        case "&": result += "&amp;"
        case "<": result += "&lt;"
        case ">": result += "&gt;"
        default: result.append(character)
        }
    }
    return result
}
