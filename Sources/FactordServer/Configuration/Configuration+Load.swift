import Foundation

/// Where settings come from. What stands later wins: defaults, file, environment, flags.
public struct ConfigurationSources: Sendable {
    /// Path of a YAML file, or nil for none.
    public var file: String?
    /// The process's environment; only names that begin with `FACTORD_` are looked at.
    public var environment: [String: String]
    /// Settings from the command line.
    public var flags: [Flag]

    public init(file: String? = nil, environment: [String: String] = [:], flags: [Flag] = []) {
        self.file = file
        self.environment = environment
        self.flags = flags
    }

    /// One setting from the command line.
    public struct Flag: Sendable, Equatable {
        /// The key, such as `state.directory` or `models.0.rank`.
        public let path: String
        public let value: String
        /// As the user typed it, for messages.
        public let shown: String

        public init(path: String, value: String, shown: String) {
            self.path = path
            self.value = value
            self.shown = shown
        }
    }

    /// Variables that belong to the client programs, and not to any key.
    static let foreignVariables: Set<String> = ["FACTORD_EVENTS", "FACTORD_REQUESTS", "FACTORD_ADMIN", "FACTORD_CONFIG", "FACTORD_SERVER_KEY", "FACTORD_KEY"]
}

/// A configuration that can be used, and what deserves a word all the same.
public struct LoadedConfiguration: Sendable {
    public let configuration: Configuration
    /// Things that were ignored, such as an unknown `FACTORD_` variable (some platforms inject variables of their own).
    public let warnings: [String]
}

extension Configuration {
    /// Reads, merges and validates.
    ///
    /// - Throws: `unreadable` for a file that cannot be read; otherwise `faults` with all that is wrong.
    public static func load(_ sources: ConfigurationSources) throws(ConfigurationError) -> LoadedConfiguration {
        guard let path = sources.file else { return try load(yaml: "", file: "", sources) }
        guard let data = FileManager.default.contents(atPath: path) else {
            let exists = FileManager.default.fileExists(atPath: path)
            throw .unreadable(path: path, reason: exists ? "cannot be read; check that it is a file and its permissions" : "no such file")
        }
        guard let text = String(data: data, encoding: .utf8) else { throw .unreadable(path: path, reason: "not UTF-8 text") }
        return try load(yaml: text, file: path, sources)
    }

    /// The same for text that is at hand; `file` names it in messages.
    public static func load(
        yaml: String, file: String, _ sources: ConfigurationSources = ConfigurationSources()
    ) throws(ConfigurationError) -> LoadedConfiguration {
        var root = try SettingNode.parse(yaml: yaml, file: file) ?? .empty(.builtIn)
        var reader = SettingReader()
        var warnings: [String] = []
        root.renameSingleModel(&reader)

        for (name, value) in sources.environment.sorted(by: { $0.key < $1.key }) where name.hasPrefix("FACTORD_") {
            if ConfigurationSources.foreignVariables.contains(name) { continue }
            guard let steps = Configuration.steps(environment: name) else {
                warnings.append("environment variable \(name) names no key and is ignored")
                continue
            }
            apply(value, at: steps, .environment(name), to: &root, &reader)
        }
        for flag in sources.flags {
            apply(flag.value, at: Configuration.steps(path: flag.path), .flag(flag.shown), to: &root, &reader)
        }

        var configuration = Configuration()
        reader.read(section, root, "", into: &configuration)
        configuration.expandStateDirectory()
        configuration.validate(&reader)
        guard reader.faults.isEmpty else { throw .faults(reader.faultsInOrder) }
        return LoadedConfiguration(configuration: configuration, warnings: warnings)
    }

    private static func apply(
        _ value: String, at steps: [SettingNode.Step], _ origin: SettingOrigin, to root: inout SettingNode, _ reader: inout SettingReader
    ) {
        if !root.set(SettingNode(value: value, origin: origin), at: steps) {
            reader.add(origin, "", "leads to no key: a part of the path is a value or a list of another shape")
        }
    }

    /// Puts the state directory in the place of `{state}`.
    private mutating func expandStateDirectory() {
        var base = state.directory
        while base.count > 1, base.hasSuffix("/") { base.removeLast() }
        let expand = { (text: String) in text.replacingOccurrences(of: "{state}", with: base) }
        for index in streams.indices { streams[index].endpoint = expand(streams[index].endpoint) }
        requests.endpoints = requests.endpoints.map(expand)
        admin.endpoint = expand(admin.endpoint)
        http.endpoint = http.endpoint.map(expand)
        security.serverKey = expand(security.serverKey)
        security.publish = expand(security.publish)
        security.query = expand(security.query)
        security.admin = expand(security.admin)
        state.deadLetters.directory = expand(state.deadLetters.directory)
        state.journal.directory = expand(state.journal.directory)
        exploration.log.directory = expand(exploration.log.directory)
    }
}

// MARK: - Paths

extension Configuration {
    /// The steps of a dotted path; `models[0].rank`, `models.0.rank` and `model.rank` are one.
    static func steps(path: String) -> [SettingNode.Step] {
        var parts = path.split { ".[]".contains($0) }.map(String.init)
        if parts.first == "model" { parts.replaceSubrange(0..<1, with: ["models", "0"]) }
        let isList = parts.first == "models" || parts.first == "streams"
        return parts.enumerated().map { place, part in
            if isList, place == 1, let index = Int(part), index >= 0 { .index(index) } else { .name(part) }
        }
    }

    /// The steps that an environment variable stands for, nil when there is no such key.
    static func steps(environment name: String) -> [SettingNode.Step]? {
        let rest = name.dropFirst("FACTORD_".count).lowercased()[...]
        if let steps = resolve(rest, among: keys) { return steps }
        guard rest.hasPrefix("model_") else { return nil }
        return resolve("models_0_" + rest.dropFirst("model_".count), among: keys)
    }

    private static func resolve(_ text: Substring, among keys: [KeyDescription]) -> [SettingNode.Step]? {
        for key in keys where text.hasPrefix(key.name) {
            let rest = text.dropFirst(key.name.count)
            if rest.isEmpty { return [.name(key.name)] }
            guard rest.first == "_" else { continue }
            let inner = rest.dropFirst()
            switch key.shape {
            case .value: continue
            case .group(let keys):
                if let steps = resolve(inner, among: keys) { return [.name(key.name)] + steps }
            case .list(let keys):
                let digits = inner.prefix { $0 != "_" }
                guard let index = Int(digits), index >= 0 else { continue }
                if let steps = resolve(inner.dropFirst(digits.count + 1), among: keys) { return [.name(key.name), .index(index)] + steps }
            case .map(let keys):
                for last in keys where inner.hasSuffix("_" + last.name) {
                    let type = inner.dropLast(last.name.count + 1)
                    return [.name(key.name), .name(type == "default" ? "*" : String(type)), .name(last.name)]
                }
            }
        }
        return nil
    }
}

extension SettingNode {
    /// Reads `model:` as the only part of `models:`.
    fileprivate mutating func renameSingleModel(_ reader: inout SettingReader) {
        guard case .mapping(var members) = content, let place = members.firstIndex(where: { $0.name == "model" }) else { return }
        let member = members[place]
        if members.contains(where: { $0.name == "models" }) {
            reader.add(member.origin, "model", "stands beside `models`; write all models under `models`")
            members.remove(at: place)
        } else {
            let list = SettingNode(origin: member.origin, content: .sequence([member.node]))
            members[place] = Member(name: "models", origin: member.origin, node: list)
        }
        content = .mapping(members)
    }
}
