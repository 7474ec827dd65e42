import LinuxSystem

/// Progress through a few long steps, such as the configurations of an evaluation: on a terminal a line on standard error that says which step is under way,
/// and about how long the rest will take. Elsewhere nothing, for the steps' results are what is printed.
public struct StepProgress {
    private let label: String
    private let steps: Int
    private let isInteractive: Bool
    private let start = MonotonicClock.nanoseconds
    private var begun = 0

    /// - Parameter steps: how many there will be; more are no harm.
    public init(label: String, steps: Int) {
        self.label = label
        self.steps = max(1, steps)
        isInteractive = Terminal.isInteractive(.error)
    }

    /// Says that the next step begins.
    public mutating func begin(_ what: String) {
        begun += 1
        guard isInteractive else { return }
        let seconds = Double(MonotonicClock.nanoseconds - start) / 1e9
        Terminal.write("\r\u{1B}[2K" + StepProgress.line(label, what, step: begun, of: steps, seconds: seconds, columns: Terminal.size(.error).columns), to: .error)
    }

    /// Clears the line, for what is printed next.
    public func finish() {
        if isInteractive { Terminal.write("\r\u{1B}[2K", to: .error) }
    }

    /// The line while a step is under way, at most `columns` wide.
    static func line(_ label: String, _ what: String, step: Int, of steps: Int, seconds: Double, columns: Int) -> String {
        let done = min(step, steps) - 1, fraction = Double(done) / Double(steps)
        let rest = done > 0 ? ", about \(Quantity.duration(seconds: seconds / Double(done) * Double(steps - done))) left" : ""
        let width = 20, filled = Int(fraction * Double(width))
        let bar = String(repeating: "█", count: filled) + String(repeating: "░", count: width - filled)
        return String("\(label)  \(bar)  \(step) of \(max(step, steps))\(rest)  \(what)".prefix(max(0, columns - 1)))
    }
}

/// Goes through steps and shows which is under way.
public struct ShownSteps<Step>: Sequence, IteratorProtocol {
    private var rest: ArraySlice<Step>
    private let name: (Step) -> String
    private var progress: StepProgress

    /// - Parameters:
    ///   - label: what all of it is.
    ///   - name: what a step is.
    public init(_ label: String, _ steps: [Step], name: @escaping (Step) -> String) {
        rest = steps[...]
        self.name = name
        progress = StepProgress(label: label, steps: steps.count)
    }

    public mutating func next() -> Step? {
        guard let step = rest.popFirst() else {
            progress.finish()
            return nil
        }
        progress.begin(name(step))
        return step
    }
}

/// Progress on standard error: a bar that redraws itself on a terminal, now and then a line elsewhere.
public struct ProgressBar {
    /// What is counted.
    public enum Unit: Sendable {
        case events, bytes

        /// So many, and so many a second.
        func text(_ done: Int, rate: Double) -> String {
            switch self {
            case .events: "\(Quantity.grouped(done)) events  \(Quantity.short(rate))/s"
            case .bytes: "\(Quantity.bytes(done))  \(Quantity.bytes(Int(rate)))/s"
            }
        }
    }

    private let label: String
    private let unit: Unit
    private let isInteractive: Bool
    private let start: Int64
    private var lastDrawn: Int64

    /// - Parameters:
    ///   - label: what is going on: a file's name.
    ///   - unit: what is counted.
    public init(label: String, unit: Unit = .events) {
        self.label = label
        self.unit = unit
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
    ///   - done: events or bytes so far.
    ///   - fraction: 0…1 where the end is known.
    public mutating func update(done: Int, fraction: Double?) {
        guard isDue else { return }
        lastDrawn = MonotonicClock.nanoseconds
        draw(done: done, fraction: fraction)
    }

    /// Makes room for a line of output; the bar is drawn again below it.
    public mutating func giveWay() {
        guard isInteractive else { return }
        Terminal.write("\r\u{1B}[2K", to: .error)
        lastDrawn = 0
    }

    /// Draws the last state and ends the line.
    public mutating func finish(done: Int) {
        draw(done: done, fraction: 1)
        if isInteractive { Terminal.write("\n", to: .error) }
    }

    private func draw(done: Int, fraction: Double?) {
        let seconds = Double(MonotonicClock.nanoseconds - start) / 1e9
        let width = isInteractive ? Terminal.size(.error).columns : 100
        let line = ProgressBar.line(label: label, done: done, unit: unit, fraction: fraction, seconds: seconds, columns: width)
        Terminal.write(isInteractive ? "\r\u{1B}[2K" + line : line + "\n", to: .error)
    }

    /// The line for a state, at most `columns` wide: label, bar, percent, count, rate, time left (or taken, at the end).
    static func line(label: String, done: Int, unit: Unit = .events, fraction: Double?, seconds: Double, columns: Int) -> String {
        var tail = unit.text(done, rate: seconds > 0 ? Double(done) / seconds : 0)
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
