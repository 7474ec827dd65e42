import Glibc

/// A picture of y over x as SVG: lines or points by series, linear or logarithmic axes, a legend beside it.
public struct LinePlot: Sendable {
    public enum Scale: Sendable {
        case linear, logarithmic
    }
    public enum Style: Sendable {
        case line, dashed, points
    }

    public struct Line: Sendable {
        public var name: String
        public var points: [(x: Double, y: Double)]
        public var style: Style
        /// Number of the colour; lines without one take the next free.
        public var colour: Int?

        public init(_ name: String, _ points: [(x: Double, y: Double)], style: Style = .line, colour: Int? = nil) {
            self.name = name
            self.points = points
            self.style = style
            self.colour = colour
        }
    }

    /// A line across the picture at a value of x, with its meaning.
    public struct Mark: Sendable {
        public var x: Double
        public var name: String
        public init(x: Double, name: String) {
            self.x = x
            self.name = name
        }
    }

    public var title: String
    public var x: (label: String, scale: Scale)
    public var y: (label: String, scale: Scale)
    public var lines: [Line]
    public var marks: [Mark]

    public init(_ title: String, x: (label: String, scale: Scale), y: (label: String, scale: Scale), _ lines: [Line], marks: [Mark] = []) {
        self.title = title
        self.x = x
        self.y = y
        self.lines = lines
        self.marks = marks
    }

    /// Told apart by people who do not see all colours (Wong 2011).
    private static let colours = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7a5c00", "#444444"]
    private static let left = 78.0, top = 34.0, plotWidth = 500.0, plotHeight = 270.0, legend = 250.0

    /// One axis: from a value to a place, and where its ticks stand.
    private struct Axis {
        let scale: Scale
        private(set) var low: Double
        private(set) var high: Double
        private(set) var ticks: [Double] = []

        init(_ scale: Scale, _ values: [Double]) {
            self.scale = scale
            let usable = values.filter { $0.isFinite && (scale == .linear || $0 > 0) }.map { scale == .linear ? $0 : log10($0) }
            low = usable.min() ?? 0
            high = usable.max() ?? 1
            if high - low < 1e-9 * max(high.magnitude, 1) { (low, high) = (low - 0.5, high + 0.5) }
            if scale == .linear {
                // From zero where that costs little room.
                if low > 0 && low < 0.35 * high { low = 0 }
                let rough = (high - low) / 5, power = pow(10, floor(log10(rough)))
                let step = [1, 2, 5, 10].first { $0 * power >= rough }! * power
                low = floor(low / step + 1e-9) * step
                high = ceil(high / step - 1e-9) * step
                ticks = stride(from: 0, through: (high - low) / step + 0.5, by: 1).map { low + $0 * step }
            } else if high - low < 1.6 {
                // Less than two decades: steps within them.
                let decades = Int(floor(low))...Int(ceil(high)), steps = high - low < 1 ? [1, 1.5, 2, 3, 4, 5, 6, 8] : [1.0, 2, 5]
                ticks = decades.flatMap { decade in steps.map { log10($0) + Double(decade) } }.filter { $0 >= low - 0.02 && $0 <= high + 0.02 }
                let margin = (high - low) * 0.05
                (low, high) = (low - margin, high + margin)
            } else {
                low = floor(low + 1e-9)
                high = ceil(high - 1e-9)
                let step = max(1, ceil((high - low) / 8))
                ticks = Array(stride(from: low, through: high, by: step))
            }
        }

        /// 0…1 along the axis; nil for a value that a logarithm does not have.
        func place(_ value: Double) -> Double? {
            guard value.isFinite, scale == .linear || value > 0 else { return nil }
            let position = ((scale == .linear ? value : log10(value)) - low) / (high - low)
            return min(1, max(0, position))
        }

        func text(_ tick: Double) -> String {
            let value = scale == .linear ? tick : pow(10, tick)
            if scale == .linear && value.magnitude < 1e-12 * max(high.magnitude, low.magnitude) { return "0" }
            if scale == .logarithmic && (tick <= -4 || tick >= 6) { return "1e\(Int(tick.rounded()))" }
            for decimals in 0...6 where (value * pow(10, Double(decimals))).rounded().distance(to: value * pow(10, Double(decimals))).magnitude < 1e-6 {
                return Quantity.fixed(value, decimals)
            }
            return Quantity.scientific(value)
        }
    }

    public func svg() -> String {
        let horizontal = Axis(x.scale, lines.flatMap { $0.points.map(\.x) } + marks.map(\.x))
        let vertical = Axis(y.scale, lines.flatMap { $0.points.map(\.y) })
        let width = LinePlot.left + LinePlot.plotWidth + LinePlot.legend, height = LinePlot.top + LinePlot.plotHeight + 50
        var svg = """
            <svg xmlns="http://www.w3.org/2000/svg" width="\(Int(width))" height="\(Int(height))" viewBox="0 0 \(Int(width)) \(Int(height))" \
            font-family="sans-serif" font-size="12">
            <rect width="100%" height="100%" fill="white"/>
            <text x="12" y="20" font-size="14">\(HTMLPage.escaped(title))</text>

            """
        svg += frame(horizontal, vertical)
        var free = 0
        for (index, line) in lines.enumerated() {
            let colour = LinePlot.colours[(line.colour ?? free) % LinePlot.colours.count]
            if line.colour == nil { free += 1 }
            svg += drawn(line, colour, horizontal, vertical, row: index)
        }
        return svg + "</svg>\n"
    }

    private func px(_ place: Double) -> String { Quantity.fixed(LinePlot.left + LinePlot.plotWidth * place, 1) }
    private func py(_ place: Double) -> String { Quantity.fixed(LinePlot.top + LinePlot.plotHeight * (1 - place), 1) }

    private func frame(_ horizontal: Axis, _ vertical: Axis) -> String {
        let bottom = LinePlot.top + LinePlot.plotHeight, right = LinePlot.left + LinePlot.plotWidth
        var svg = ""
        for tick in horizontal.ticks {
            let place = px((tick - horizontal.low) / (horizontal.high - horizontal.low))
            svg += """
                <line x1="\(place)" x2="\(place)" y1="\(LinePlot.top)" y2="\(bottom)" stroke="#e6e6e6"/>
                <text x="\(place)" y="\(bottom + 16)" text-anchor="middle" fill="#444">\(horizontal.text(tick))</text>

                """
        }
        for tick in vertical.ticks {
            let place = py((tick - vertical.low) / (vertical.high - vertical.low))
            svg += """
                <line x1="\(LinePlot.left)" x2="\(right)" y1="\(place)" y2="\(place)" stroke="#e6e6e6"/>
                <text x="\(LinePlot.left - 6)" y="\(place)" dy="4" text-anchor="end" fill="#444">\(vertical.text(tick))</text>

                """
        }
        for (index, mark) in marks.enumerated() {
            guard let part = horizontal.place(mark.x) else { continue }
            let place = px(part), side = part > 0.85 ? "dx=\"-4\" text-anchor=\"end\"" : "dx=\"4\""
            svg += """
                <line x1="\(place)" x2="\(place)" y1="\(LinePlot.top)" y2="\(bottom)" stroke="#888" stroke-dasharray="2 3"/>
                <text x="\(place)" y="\(LinePlot.top + 12 + 14 * Double(index % 3))" \(side) fill="#666" font-size="11">\(HTMLPage.escaped(mark.name))</text>

                """
        }
        let middle = LinePlot.top + LinePlot.plotHeight / 2
        return svg + """
            <rect x="\(LinePlot.left)" y="\(LinePlot.top)" width="\(LinePlot.plotWidth)" height="\(LinePlot.plotHeight)" fill="none" stroke="#999"/>
            <text x="\(LinePlot.left + LinePlot.plotWidth / 2)" y="\(bottom + 38)" text-anchor="middle">\(HTMLPage.escaped(x.label))</text>
            <text transform="translate(16 \(middle)) rotate(-90)" text-anchor="middle">\(HTMLPage.escaped(y.label))</text>

            """
    }

    private func drawn(_ line: Line, _ colour: String, _ horizontal: Axis, _ vertical: Axis, row: Int) -> String {
        let places = line.points.compactMap { point in
            horizontal.place(point.x).flatMap { x in vertical.place(point.y).map { (px(x), py($0)) } }
        }
        var svg = ""
        if line.style != .points {
            let dash = line.style == .dashed ? " stroke-dasharray=\"6 4\"" : ""
            svg += """
                <polyline points="\(places.map { "\($0.0),\($0.1)" }.joined(separator: " "))" fill="none" stroke="\(colour)" stroke-width="1.6"\(dash)/>

                """
        }
        if line.style == .points || (line.style == .line && places.count <= 24) {
            svg += places.map { "<circle cx=\"\($0.0)\" cy=\"\($0.1)\" r=\"2.6\" fill=\"\(colour)\"/>\n" }.joined()
        }
        let y = LinePlot.top + 8 + 18 * Double(row), x = LinePlot.left + LinePlot.plotWidth + 14
        let sample = line.style == .points
            ? "<circle cx=\"\(x + 11)\" cy=\"\(y)\" r=\"3\" fill=\"\(colour)\"/>"
            : "<line x1=\"\(x)\" x2=\"\(x + 22)\" y1=\"\(y)\" y2=\"\(y)\" stroke=\"\(colour)\" stroke-width=\"2\"\(line.style == .dashed ? " stroke-dasharray=\"6 4\"" : "")/>"
        return svg + "\(sample)\n<text x=\"\(x + 28)\" y=\"\(y)\" dy=\"4\">\(HTMLPage.escaped(line.name))</text>\n"
    }
}
