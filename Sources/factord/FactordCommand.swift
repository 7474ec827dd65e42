import ArgumentParser
import FactordServer
import Foundation

/// The daemon's command line.
@main
struct FactordCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "factord",
        abstract: "Learns from live event streams and answers score and recommend requests.",
        discussion: """
            Without a file it runs on defaults: events on tcp://127.0.0.1:5560, requests on tcp://127.0.0.1:5561,
            HTTP on port 5562 of this machine, state in ./factord-state. `factord check --print` shows every key.
            """,
        version: FactordVersion.text,
        subcommands: [RunCommand.self, CheckCommand.self],
        defaultSubcommand: RunCommand.self)
}

/// The settings that every subcommand takes.
struct SettingOptions: ParsableArguments {
    @Option(help: ArgumentHelp("State directory (state.directory).", valueName: "dir"))
    var state: String?

    @Option(
        name: .customLong("set"), parsing: .singleValue,
        help: ArgumentHelp("Set one key, such as models.0.rank=64; may be repeated.", valueName: "key=value"))
    var settings: [String] = []

    func validate() throws {
        for setting in settings where setting.first == "=" || !setting.contains("=") {
            throw ValidationError("--set \(setting): write KEY=VALUE, such as --set models.0.rank=64")
        }
    }

    /// The flags as settings; they win over file and environment.
    var flags: [ConfigurationSources.Flag] {
        var flags = settings.map { setting in
            let parts = setting.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            return ConfigurationSources.Flag(path: String(parts[0]), value: String(parts[1]), shown: "--set \(setting)")
        }
        if let state { flags.append(ConfigurationSources.Flag(path: "state.directory", value: state, shown: "--state \(state)")) }
        return flags
    }

    func sources(file: String?) -> ConfigurationSources {
        ConfigurationSources(file: file, environment: ProcessInfo.processInfo.environment, flags: flags)
    }
}

/// What sysexits.h calls EX_CONFIG: something is wrong with the configuration.
let configurationExitCode = ExitCode(78)

/// Writes to standard error.
func complain(_ text: String) {
    FileHandle.standardError.write(Data((text + "\n").utf8))
}
