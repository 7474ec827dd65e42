/// One key whose value has changed.
struct SettingChange: Equatable, Sendable, CustomStringConvertible {
    let path: String
    /// As YAML; nil for a part of a list or map that was not there before, or is not there any more.
    let before: String?
    let after: String?
    let reload: ReloadClass

    var description: String { "\(path): \(before ?? "none") → \(after ?? "none")" }
}

/// What a configuration that was read anew changes: at once, and at a restart.
struct ConfigurationChange: Sendable {
    /// The running configuration with the new values of the keys that change live.
    let effective: Configuration
    /// Live keys, in the order of the configuration.
    let live: [SettingChange]
    /// All others.
    let waiting: [SettingChange]

    /// - Throws: where the live keys' new values do not go with the others' old ones.
    init(from running: Configuration, to new: Configuration) throws(ConfigurationError) {
        let old = running.everySetting, all = new.everySetting
        let before = Dictionary(old.map { ($0.path, $0.value) }) { $1 }, known = Set(all.map(\.path))
        var live: [SettingChange] = [], waiting: [SettingChange] = []
        for setting in all where before[setting.path] != setting.value {
            let change = SettingChange(path: setting.path, before: before[setting.path], after: setting.value, reload: setting.reload)
            // A key of a part that is new comes with the part.
            if setting.reload == .live, change.before != nil { live.append(change) } else { waiting.append(change) }
        }
        for setting in old where !known.contains(setting.path) {
            waiting.append(SettingChange(path: setting.path, before: setting.value, after: nil, reload: setting.reload))
        }
        self.live = live
        self.waiting = waiting
        guard !live.isEmpty else {
            effective = running
            return
        }
        let flags = live.map { ConfigurationSources.Flag(path: $0.path, value: $0.after ?? "", shown: "the new \($0.path)") }
        effective = try Configuration.load(yaml: running.yaml(commented: false), file: "running configuration", ConfigurationSources(flags: flags)).configuration
    }
}

extension Configuration {
    /// Every key with its value, in order.
    var everySetting: [PrintedSetting] {
        var printer = SettingPrinter(commented: false)
        for entry in Configuration.section.entries { entry.print(self, entry.name, &printer) }
        return printer.settings
    }
}
