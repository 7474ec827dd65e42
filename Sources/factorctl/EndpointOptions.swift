public import ArgumentParser
import Foundation
public import StreamTools
import ZeroMQ

/// An endpoint from a flag, else from the environment, else the daemon's default.
private func chosen(_ flag: String?, _ variable: String, _ standard: String) -> String {
    if let flag { return flag }
    let given = ProcessInfo.processInfo.environment[variable] ?? ""
    return given.isEmpty ? standard : given
}

/// How to reach the reply socket.
struct RequestOptions: ParsableArguments {
    @Option(help: ArgumentHelp(
        "The daemon's reply socket.",
        discussion: "Default: $\(DefaultEndpoints.requestsVariable), else \(DefaultEndpoints.requests).",
        valueName: "endpoint"))
    var requests: String?

    @Option(help: ArgumentHelp("Seconds to wait for an answer.", valueName: "seconds"))
    var deadline: Double = 5

    @OptionGroup var keys: KeyOptions

    func validate() throws {
        guard deadline > 0, deadline <= 86_400 else { throw ValidationError("--deadline: above 0, at most 86400 seconds") }
    }

    func client() throws -> RequestClient {
        let name = chosen(requests, DefaultEndpoints.requestsVariable, DefaultEndpoints.requests)
        return try RequestClient(endpoint: name, deadlineSeconds: deadline, security: keys.security(for: name))
    }
}

/// How to reach the admin socket.
struct AdminOptions: ParsableArguments {
    @Option(help: ArgumentHelp(
        "The daemon's admin socket.",
        discussion: "Default: $\(DefaultEndpoints.adminVariable), else \(DefaultEndpoints.admin), from the daemon's working directory, or, without that, \(DefaultEndpoints.systemAdmin).",
        valueName: "endpoint"))
    var admin: String?

    @Option(help: ArgumentHelp("Seconds to wait for an answer.", valueName: "seconds"))
    var deadline: Double = 60

    @OptionGroup var keys: KeyOptions

    func client() throws -> RequestClient {
        let name = chosen(admin, DefaultEndpoints.adminVariable, DefaultEndpoints.likelyAdmin)
        return try RequestClient(endpoint: name, deadlineSeconds: deadline, security: keys.security(for: name))
    }
}

/// Where and how to publish.
struct PublishArguments: ParsableArguments {
    @Option(help: ArgumentHelp(
        "The stream's endpoint.", discussion: "Default: $\(DefaultEndpoints.eventsVariable), else \(DefaultEndpoints.events).",
        valueName: "endpoint"))
    var endpoint: String?

    @Option(help: ArgumentHelp(
        "Publish to an acknowledged stream: what is not acknowledged is sent again, also after the daemon was away.",
        discussion: "In place of --endpoint and --pattern.", valueName: "endpoint"))
    var acknowledged: String?

    @Option(help: "With --acknowledged: messages that may be out without an answer.")
    var window = 256

    @Option(help: ArgumentHelp(
        "With --acknowledged: a file that keeps how far the sending got; started again with it, it goes on from there.",
        discussion: "With the same files, format and batch size, no event is then sent twice or left out.", valueName: "file"))
    var resume: String?

    @Option(help: "push, to a `pull` stream, or pub, to `sub` streams.")
    var pattern: ZeroMQSink.Pattern = .push

    @Flag(help: "Bind the endpoint instead of connecting to it (for streams that connect).")
    var bind = false

    @Option(help: "The first frame of each message, for subscribers (with --pattern pub; default \"events\").")
    var topic: String?

    @Option(help: "Form of the messages: columnar (fastest), array, or json (one event each).")
    var format: MessageFormat = .columnar

    @Option(help: "Events in a message.")
    var batch = 500

    @Option(help: "Events a second; without it as fast as the daemon takes them.")
    var rate: Double?

    @Option(help: ArgumentHelp(
        "Name of this publisher, for the daemon's gap detection; empty leaves messages unnumbered.",
        discussion: "Default: factorctl and the process number."))
    var source: String?

    @Option(help: "Seconds to wait while the daemon does not read, before giving up.")
    var patience: Double = 10

    func validate() throws {
        if acknowledged == nil, resume != nil { throw ValidationError("--resume: only with --acknowledged, which knows what arrived") }
        if acknowledged != nil, endpoint != nil || bind { throw ValidationError("--acknowledged ENDPOINT stands in place of --endpoint and --bind") }
        if acknowledged != nil, source == "" { throw ValidationError("--source: an acknowledged stream needs a name") }
        guard (1...100_000).contains(window) else { throw ValidationError("--window: 1 to 100000 messages") }
    }

    /// The publisher, and how many records it is to leave out because an earlier run has delivered them.
    func publisher(_ keys: KeyOptions) throws -> (publisher: Publisher, delivered: Int) {
        let publisherName = source ?? "factorctl-\(ProcessInfo.processInfo.processIdentifier)"
        let epoch = UInt64(max(0, Date().timeIntervalSince1970 * 1000))
        var numbering = publisherName.isEmpty ? nil : StreamNumbering(source: publisherName, epoch: epoch)
        var delivered = 0
        let sink: any MessageSink
        if let acknowledged {
            var progress = try resume.map { try PublishProgress(path: $0) }
            let standing = progress?.standing
            if let standing {
                if let source, source != standing.numbering.source {
                    throw ValidationError("--source \(source): \(resume ?? "") goes on with source \(standing.numbering.source)")
                }
                delivered = standing.records
            }
            let own = standing?.numbering ?? numbering ?? StreamNumbering(source: publisherName, epoch: epoch)
            numbering = own
            try progress?.begin(own)
            let acknowledging = try AcknowledgedSink(endpoint: acknowledged, numbering: own, window: window, patience: patience,
                security: keys.security(for: acknowledged))
            acknowledging.onProgress = { settled, records in
                progress?.note(own, settled: settled, records: delivered + records)
            }
            acknowledging.onClose = { settled, records in
                progress?.save(own, settled: settled, records: delivered + records)
            }
            sink = acknowledging
        } else {
            let name = chosen(endpoint, DefaultEndpoints.eventsVariable, DefaultEndpoints.events)
            if bind, keys.key != nil || keys.serverKey != nil { throw ValidationError("--key: is for connecting; with --bind nobody is asked for keys") }
            sink = try ZeroMQSink(endpoint: name, pattern: pattern, attachment: bind ? .bind : .connect, patience: patience,
                security: bind ? .none : keys.security(for: name))
        }
        let options = PublishOptions(
            format: format, batchSize: batch, eventsPerSecond: rate,
            topic: topic ?? (pattern == .pub ? "events" : nil), numbering: numbering)
        return (try Publisher(to: sink, options: options), delivered)
    }
}

extension MessageFormat: ExpressibleByArgument {}
extension ZeroMQSink.Pattern: ExpressibleByArgument {}
extension DatasetOrder: ExpressibleByArgument {}
extension SimulationSettings.Drift: ExpressibleByArgument {}
extension EventID: ExpressibleByArgument {
    public init?(argument: String) { self.init(argument) }
}
