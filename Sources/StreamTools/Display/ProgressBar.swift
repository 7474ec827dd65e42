import LinuxSystem

/// Progress on standard error: a bar that redraws itself on a terminal, now and then a line elsewhere.
public struct ProgressBar {
    private let label: String
    private let isInteractive: Bool
    private let start: Int64
    private var lastDrawn: Int64

    /// - Parameter label: what is going on: a file's name.
    public init(label: String) {
        self.label = label
        isInteractive = Terminal.isInteractive(.error)
        start = MonotonicClock.nanoseconds
        lastDrawn = start
    }

    /// Whether it is time to draw again; cheap enough to ask once a batch.
    public var isDue: Bool {
        MonotonicClock.nanoseconds - lastDrawn >= (isInteractive ? 100_000_000 : 5_000_000_000)
    }

    /// Draws, if it is time to.
    /// - Parameters:
    ///   - events: done so far.
    ///   - fraction: 0…1 where the end is known.
    public mutating func update(events: Int, fraction: Double?) {
        guard isDue else { return }
        lastDrawn = MonotonicClock.nanoseconds
        draw(events: events, fraction: fraction)
    }

    /// Makes room for a line of output; the bar is drawn again below it.
    public mutating func giveWay() {
        guard isInteractive else { return }
        Terminal.write("\r\u{1B}[2K", to: .error)
        lastDrawn = 0
    }

    /// Draws the last state and ends the line.
    public mutating func finish(events: Int) {
        draw(events: events, fraction: 1)
        if isInteractive { Terminal.write("\n", to: .error) }
    }

    private func draw(events: Int, fraction: Double?) {
        let seconds = Double(MonotonicClock.nanoseconds - start) / 1e9
        let width = isInteractive ? Terminal.size(.error).columns : 100
        let line = ProgressBar.line(label: label, events: events, fraction: fraction, seconds: seconds, columns: width)
        Terminal.write(isInteractive ? "\r\u{1B}[2K" + line : line + "\n", to: .error)
    }

    /// The line for a state, at most `columns` wide: label, bar, percent, events, rate, time left (or taken, at the end).
    static func line(label: String, events: Int, fraction: Double?, seconds: Double, columns: Int) -> String {
        let rate = seconds > 0 ? Double(events) / seconds : 0
        var tail = "\(Quantity.grouped(events)) events  \(Quantity.short(rate))/s"
        if let fraction, fraction >= 1 {
            tail += "  in \(Quantity.duration(seconds: seconds))"
        } else if let fraction, fraction > 0 {
            tail += "  \(Quantity.duration(seconds: seconds / fraction * (1 - fraction))) left"
        }
        guard let fraction else { return String("\(label)  \(tail)".prefix(columns - 1)) }
        let limited = min(1, max(0, fraction))
        let percent = "\(Int(limited * 100))%"
        let padded = String(repeating: " ", count: 4 - percent.count) + percent
        let space = min(30, columns - 1 - label.count - tail.count - 10)
        guard space >= 5 else { return String("\(label) \(padded)  \(tail)".prefix(columns - 1)) }
        let filled = Int(limited * Double(space))
        let bar = String(repeating: "█", count: filled) + String(repeating: "░", count: space - filled)
        return "\(label)  \(bar) \(padded)  \(tail)"
    }
}
