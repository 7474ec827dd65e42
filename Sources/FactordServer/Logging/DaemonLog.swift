public import Logging
import LinuxSystem

/// Log lines on standard error: for journald, with its priority (`<3>` … `<7>`) in front; for people elsewhere, with time and level;
/// or one JSON object a line. Fields follow as `key=value`.
///
/// All copies share a `LogControl`, so that the level can change while the daemon runs.
public struct DaemonLog: LogHandler {
    public var metadata: Logger.Metadata = [:]
    private let label: String
    private let control: LogControl
    /// Set where one logger is to say more or less than the others.
    private var ownLevel: Logger.Level?

    public init(label: String, control: LogControl) {
        self.label = label
        self.control = control
    }

    public var logLevel: Logger.Level {
        get { ownLevel ?? control.level }
        set { ownLevel = newValue }
    }

    public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    public func log(event: LogEvent) {
        var fields = metadata
        if let more = event.metadata { fields.merge(more) { $1 } }
        let pairs = fields.map { ($0.key, "\($0.value)") }.sorted { $0.0 < $1.0 }
        control.write(
            LogLine(level: event.level, label: label, message: "\(event.message)", fields: pairs), cause: "\(event.file):\(event.line)")
    }
}

/// One line of the log.
struct LogLine: Sendable {
    var level: Logger.Level
    var label: String
    var message: String
    var fields: [(key: String, value: String)]

    /// - Parameters:
    ///   - time: milliseconds since 1970, where the line is to have one: journald notes its own.
    ///   - isJournal: whether the priority stands in front, which journald takes off.
    func text(_ form: Configuration.Log.Format, time: Int64, isJournal: Bool) -> String {
        var line = isJournal ? "<\(priority)>" : ""
        switch form {
        case .json:
            line += "{\"time\":\"\(LogLine.date(time))\",\"level\":\"\(level)\",\"priority\":\(priority),\"label\":\(LogLine.quoted(label)),\"message\":\(LogLine.quoted(message))"
            for (key, value) in fields { line += ",\(LogLine.quoted(key)):\(LogLine.quoted(value))" }
            line += "}"
        case .text:
            if !isJournal { line += "\(LogLine.date(time)) \(level) " }
            line += "\(label): \(LogLine.oneLine(message))"
            for (key, value) in fields { line += " \(key)=\(LogLine.isBare(value) ? value : LogLine.quoted(value))" }
        }
        return line + "\n"
    }

    /// The priorities of syslog(3).
    private var priority: Int {
        switch level {
        case .trace, .debug: 7
        case .info: 6
        case .notice: 5
        case .warning: 4
        case .error: 3
        case .critical: 2
        }
    }

    private static func isBare(_ value: String) -> Bool {
        !value.isEmpty && value.unicodeScalars.allSatisfy { $0.value > 0x20 && $0 != "\"" && $0 != "=" && $0.value != 0x7F }
    }

    /// Whoever chose a name or sent a message does not begin lines of the log.
    private static func oneLine(_ text: String) -> String {
        text.unicodeScalars.contains { $0.value < 0x20 } ? String(quoted(text).dropFirst().dropLast()) : text
    }

    private static func quoted(_ text: String) -> String {
        var quoted = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": quoted += "\\\""
            case "\\": quoted += "\\\\"
            case "\n": quoted += "\\n"
            default:
                if scalar.value < 0x20 || scalar.value == 0x7F { quoted += " " } else { quoted.unicodeScalars.append(scalar) }
            }
        }
        return quoted + "\""
    }

    /// RFC 3339 in UTC, by the civil calendar (Hinnant's days_from_civil, backwards).
    static func date(_ milliseconds: Int64) -> String {
        func two(_ number: Int64) -> String { number < 10 ? "0\(number)" : "\(number)" }
        let day = 86_400_000 as Int64
        let days = (milliseconds >= 0 ? milliseconds : milliseconds - day + 1) / day, rest = milliseconds - days * day
        let shifted = days + 719_468, era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let ofEra = shifted - era * 146_097
        let year = (ofEra - ofEra / 1460 + ofEra / 36_524 - ofEra / 146_096) / 365
        let ofYear = ofEra - (365 * year + year / 4 - year / 100), month = (5 * ofYear + 2) / 153
        let civilMonth = month < 10 ? month + 3 : month - 9
        let fraction = "\(1000 + rest % 1000)".dropFirst()
        return "\(year + era * 400 + (civilMonth <= 2 ? 1 : 0))-\(two(civilMonth))-\(two(ofYear - (153 * month + 2) / 5 + 1))"
            + "T\(two(rest / 3_600_000)):\(two(rest / 60_000 % 60)):\(two(rest / 1000 % 60)).\(fraction)Z"
    }
}
