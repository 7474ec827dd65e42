public import Logging
import LinuxSystem

/// Log lines on standard error: with a journald priority (`<3>` … `<7>`) and `key=value` pairs, or one JSON object a line.
public struct DaemonLog: LogHandler {
    public var logLevel: Logger.Level
    public var metadata: Logger.Metadata = [:]
    private let label: String
    private let isJSON: Bool

    public init(label: String, level: Logger.Level, isJSON: Bool) {
        self.label = label
        self.isJSON = isJSON
        logLevel = level
    }

    public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    public func log(event: LogEvent) {
        var fields = metadata
        if let more = event.metadata { fields.merge(more) { $1 } }
        let pairs = fields.map { ($0.key, "\($0.value)") }.sorted { $0.0 < $1.0 }
        var line: String
        if isJSON {
            line = "{\"level\":\"\(event.level)\",\"label\":\"\(label)\",\"message\":\(DaemonLog.quoted("\(event.message)"))"
            for (key, value) in pairs { line += ",\(DaemonLog.quoted(key)):\(DaemonLog.quoted(value))" }
            line += "}\n"
        } else {
            line = "<\(DaemonLog.priority(event.level))>\(label): \(event.message)"
            for (key, value) in pairs { line += " \(key)=\(value.contains(" ") ? DaemonLog.quoted(value) : value)" }
            line += "\n"
        }
        StandardError.write(line)
    }

    /// The priorities of syslog(3), which journald reads at the start of a line.
    private static func priority(_ level: Logger.Level) -> Int {
        switch level {
        case .trace, .debug: 7
        case .info: 6
        case .notice: 5
        case .warning: 4
        case .error: 3
        case .critical: 2
        }
    }

    private static func quoted(_ text: String) -> String {
        var quoted = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": quoted += "\\\""
            case "\\": quoted += "\\\\"
            case "\n": quoted += "\\n"
            default:
                if scalar.value < 0x20 { quoted += " " } else { quoted.unicodeScalars.append(scalar) }
            }
        }
        return quoted + "\""
    }
}
