public import ArgumentParser
import Foundation
public import StreamTools

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

    func validate() throws {
        guard deadline > 0, deadline <= 86_400 else { throw ValidationError("--deadline: above 0, at most 86400 seconds") }
    }

    func client() throws -> RequestClient {
        let name = chosen(requests, DefaultEndpoints.requestsVariable, DefaultEndpoints.requests)
        return try RequestClient(endpoint: name, deadlineSeconds: deadline)
    }
}

/// How to reach the admin socket.
struct AdminOptions: ParsableArguments {
    @Option(help: ArgumentHelp(
        "The daemon's admin socket.",
        discussion: "Default: $\(DefaultEndpoints.adminVariable), else \(DefaultEndpoints.admin), from the daemon's working directory.",
        valueName: "endpoint"))
    var admin: String?

    @Option(help: ArgumentHelp("Seconds to wait for an answer.", valueName: "seconds"))
    var deadline: Double = 60

    func client() throws -> RequestClient {
        let name = chosen(admin, DefaultEndpoints.adminVariable, DefaultEndpoints.admin)
        return try RequestClient(endpoint: name, deadlineSeconds: deadline)
    }
}

/// Where and how to publish.
struct PublishArguments: ParsableArguments {
    @Option(help: ArgumentHelp(
        "The stream's endpoint.", discussion: "Default: $\(DefaultEndpoints.eventsVariable), else \(DefaultEndpoints.events).",
        valueName: "endpoint"))
    var endpoint: String?

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

    func publisher() throws -> Publisher {
        let name = chosen(endpoint, DefaultEndpoints.eventsVariable, DefaultEndpoints.events)
        let sink = try ZeroMQSink(endpoint: name, pattern: pattern, attachment: bind ? .bind : .connect, patience: patience)
        let publisherName = source ?? "factorctl-\(ProcessInfo.processInfo.processIdentifier)"
        let epoch = UInt64(max(0, Date().timeIntervalSince1970 * 1000))
        let options = PublishOptions(
            format: format, batchSize: batch, eventsPerSecond: rate,
            topic: topic ?? (pattern == .pub ? "events" : nil),
            numbering: publisherName.isEmpty ? nil : StreamNumbering(source: publisherName, epoch: epoch))
        return try Publisher(to: sink, options: options)
    }
}

extension MessageFormat: ExpressibleByArgument {}
extension ZeroMQSink.Pattern: ExpressibleByArgument {}
extension DatasetOrder: ExpressibleByArgument {}
extension SimulationSettings.Drift: ExpressibleByArgument {}
extension EventID: ExpressibleByArgument {
    public init?(argument: String) { self.init(argument) }
}
