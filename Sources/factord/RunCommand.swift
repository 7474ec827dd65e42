import ArgumentParser
import FactordServer

/// `factord`: runs the daemon in the foreground.
struct RunCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Run the daemon (the default).",
        discussion: "SIGHUP has it read its configuration and the lists of keys anew, SIGTERM and SIGINT stop it.")

    @Option(help: ArgumentHelp("Configuration file (YAML).", valueName: "file"))
    var config: String?

    @OptionGroup var settings: SettingOptions

    func run() throws {
        let loaded: LoadedConfiguration, sources = settings.sources(file: config)
        do {
            loaded = try Configuration.load(sources)
        } catch {
            complain("\(error)")
            throw configurationExitCode
        }
        for warning in loaded.warnings { complain("warning: \(warning)") }
        let status = runDaemon(configuration: loaded.configuration, sources: sources)
        if status != 0 { throw ExitCode(status) }
    }
}
