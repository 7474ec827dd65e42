import ArgumentParser
import FactordServer
import Factorization

/// The configurations that an evaluation sets side by side.
struct ConfigurationArguments: ParsableArguments {
    @Option(help: ArgumentHelp("Configuration file of a daemon, can be repeated; its models are evaluated.", valueName: "file"))
    var config: [String] = []

    @Option(name: .customLong("set"), parsing: .singleValue, help: ArgumentHelp("Set one key in every configuration.", valueName: "key=value"))
    var settings: [String] = []

    @Option(help: ArgumentHelp("One more line of the table: each configuration with these keys, set apart by blanks.", valueName: "key=value …"))
    var variant: [String] = []

    @Flag(help: "Each configuration with every kind of model in turn: mf, fm, gfm, bilinear, hofm, ffm.")
    var kinds = false

    /// A configuration and what it is called in the table.
    struct Named {
        var name: String
        var settings: EngineSettings
    }

    /// Every file (or the defaults) with every variant, all with the same seed where one is given.
    func named(seed: UInt64? = nil) throws -> [Named] {
        var found: [Named] = []
        for file in config.isEmpty ? [nil] : config.map(Optional.some) {
            for variant in variants {
                let flags = (settings + variant.split(separator: " ").map(String.init)).map(flag)
                let loaded = try Configuration.load(ConfigurationSources(file: file, environment: [:], flags: flags))
                var engine = loaded.configuration.engineSettings
                engine.trainers = 1
                if let seed { for index in engine.models.indices { engine.models[index].seed = seed } }
                found.append(Named(name: name(file, variant), settings: engine))
            }
        }
        return found
    }

    private var variants: [String] {
        let given = variant.isEmpty ? [""] : variant
        guard kinds else { return given }
        return given.flatMap { variant in
            ModelSettings.Kind.allCases.map { "model.kind=\($0.rawValue)\(variant.isEmpty ? "" : " " + variant)" }
        }
    }

    /// As the daemon takes `--set`; a setting without a value is left to its check of the key.
    private func flag(_ setting: String) -> ConfigurationSources.Flag {
        let parts = setting.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        return ConfigurationSources.Flag(path: parts[0], value: parts.count > 1 ? parts[1] : "", shown: "--set \(setting)")
    }

    private func name(_ file: String?, _ variant: String) -> String {
        guard let file else { return variant.isEmpty ? "default" : variant }
        let plain = String(file.split(separator: "/").last ?? "")
        return variant.isEmpty ? plain : "\(plain) \(variant)"
    }

    /// What a line of the table is called: configuration, and model where there are several.
    static func label(_ configuration: Named, model: String) -> String {
        configuration.settings.models.count > 1 ? "\(configuration.name) \(model)" : configuration.name
    }
}
