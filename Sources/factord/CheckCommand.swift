import ArgumentParser
import FactordServer
import Foundation

/// `factord check`: says whether a configuration would start, and everything that is wrong with it.
struct CheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check", abstract: "Validate a configuration.",
        discussion: "Exits with 0 when the daemon would start on it, with 78 when not. Environment variables count, as they do for the daemon.")

    @Argument(help: "Configuration file (YAML); without one, the defaults.")
    var file: String?

    @Flag(name: .customLong("print"), help: "Print the configuration that results, every key with its meaning.")
    var isPrinting = false

    @Flag(name: .customLong("keys"), help: "Print the table of keys for documentation.")
    var isListingKeys = false

    @Flag(name: .customLong("metrics"), help: "Print the table of metrics for documentation.")
    var isListingMetrics = false

    @Flag(name: .customLong("json"), help: "Print the outcome as JSON.")
    var isJSON = false

    @OptionGroup var settings: SettingOptions

    func run() throws {
        if isListingKeys { return Swift.print(Configuration.keyTable, terminator: "") }
        if isListingMetrics { return Swift.print(Configuration.metricTable, terminator: "") }
        do {
            report(try Configuration.load(settings.sources(file: file)))
        } catch {
            report(error)
            throw configurationExitCode
        }
    }

    private func report(_ loaded: LoadedConfiguration) {
        if isJSON {
            return write(Outcome(valid: true, warnings: loaded.warnings, configuration: loaded.configuration))
        }
        for warning in loaded.warnings { complain("warning: \(warning)") }
        if isPrinting {
            Swift.print(loaded.configuration.yaml(commented: true), terminator: "")
        } else {
            Swift.print("\(file ?? "defaults"): in order")
        }
    }

    private func report(_ error: ConfigurationError) {
        if isJSON {
            switch error {
            case .unreadable: write(Outcome(valid: false, error: error.description))
            case .faults(let faults): write(Outcome(valid: false, faults: faults.map(Outcome.Fault.init)))
            }
            return
        }
        complain(error.description)
        if case .faults(let faults) = error {
            complain("\(faults.count) \(faults.count == 1 ? "fault" : "faults"); `factord check --print` shows every key and what it accepts")
        }
    }

    private func write(_ outcome: Outcome) {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        guard let data = try? encoder.encode(outcome) else { preconditionFailure("an outcome holds finite numbers and text only") }
        Swift.print(String(decoding: data, as: UTF8.self))
    }

    /// What `--json` prints.
    private struct Outcome: Encodable {
        struct Fault: Encodable {
            let origin: String
            let path: String
            let problem: String

            init(_ fault: ConfigurationFault) {
                origin = fault.origin.description
                path = fault.path
                problem = fault.problem
            }
        }

        let valid: Bool
        var error: String?
        var faults: [Fault] = []
        var warnings: [String] = []
        var configuration: Configuration?
    }
}
