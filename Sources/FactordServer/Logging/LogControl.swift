import Logging
import LinuxSystem
import Synchronization

/// What all loggers of the daemon share: the level, which may change, the form of lines, and how many lines one cause may fill.
/// Any thread.
public final class LogControl: Sendable {
    private let threshold: Atomic<Int>
    private let form: Configuration.Log.Format
    private let isJournal: Bool
    private let gate: Lock<LogGate>
    private let write: @Sendable (String) -> Void

    public convenience init(_ settings: Configuration.Log) {
        self.init(settings, isJournal: StandardError.isJournal, write: StandardError.write)
    }

    /// - Parameter isJournal: whether what is written goes to journald.
    init(_ settings: Configuration.Log, isJournal: Bool, gate: LogGate = LogGate(), write: @escaping @Sendable (String) -> Void) {
        threshold = Atomic(LogControl.rank(settings.level))
        form = settings.format
        self.isJournal = isJournal
        self.gate = Lock(gate)
        self.write = write
    }

    /// Writes from this level on.
    func use(_ settings: Configuration.Log) { threshold.store(LogControl.rank(settings.level), ordering: .relaxed) }

    var level: Logger.Level { Logger.Level.allCases[threshold.load(ordering: .relaxed)] }

    private static func rank(_ level: Configuration.Log.Level) -> Int {
        Logger.Level.allCases.firstIndex { $0.rawValue == level.rawValue } ?? 2
    }

    /// Writes a line, unless it warns of what its cause has warned of too often of late. Progress is told as it comes, and so is the end.
    func write(_ line: LogLine, cause: String, now: Int64 = MonotonicClock.nanoseconds) {
        let (isAllowed, reports) = gate.withLock { gate in
            let reports = gate.due(now)
            return (line.level < .warning || line.level == .critical || gate.allows(cause, line, now), reports)
        }
        for report in reports { put(report) }
        if isAllowed { put(line) }
    }

    /// Tells what was left out, where its time is over; at the end, and now and then while nothing else is said.
    public func flush(isLast: Bool = false) {
        for report in gate.withLock({ $0.due(isLast ? .max : MonotonicClock.nanoseconds) }) { put(report) }
    }

    private func put(_ line: LogLine) { write(line.text(form, time: WallClock.milliseconds, isJournal: isJournal)) }
}

/// How many lines of one cause may come: a burst at once, and then no more until a span of time is over, at whose end the number
/// left out is told. A cause is the place in the program that speaks.
struct LogGate: Sendable {
    /// Lines of one cause in one span.
    static let burst = 10
    /// Nanoseconds.
    static let span: Int64 = 30_000_000_000
    /// Causes told apart, far more than there are; beyond, lines are written.
    static let causes = 1024

    private struct Account {
        var begin: Int64
        var written = 0
        var leftOut = 0
        /// The last line left out.
        var last: LogLine?
    }

    private var accounts: [String: Account] = [:]

    /// Whether a line may be written; counts it.
    mutating func allows(_ cause: String, _ line: LogLine, _ now: Int64) -> Bool {
        var account = accounts[cause] ?? Account(begin: now)
        if now - account.begin >= LogGate.span { account = Account(begin: now) }
        defer { if accounts[cause] != nil || accounts.count < LogGate.causes { accounts[cause] = account } }
        if account.written < LogGate.burst {
            account.written += 1
            return true
        }
        account.leftOut += 1
        account.last = line
        return false
    }

    /// What is to be told of lines left out in spans that are over.
    mutating func due(_ now: Int64) -> [LogLine] {
        var lines: [LogLine] = []
        for (cause, account) in accounts where account.leftOut > 0 && (now == .max || now - account.begin >= LogGate.span) {
            if var line = account.last {
                line.fields = [("last", line.fields.map { "\($0.key)=\($0.value)" }.joined(separator: " ")), ("left_out", "\(account.leftOut)")]
                line.message = "lines like this were left out: \(line.message)"
                lines.append(line)
            }
            accounts[cause] = nil
        }
        return lines
    }
}
