import Factorization
import Persistence

/// A key of class `new-model` and its value, as YAML.
struct LastingSetting: Equatable {
    let path: String
    let value: String
}

/// The settings that a saved state belongs to: a section of the snapshot, so that a start on other settings can be refused
/// by the key's name.
///
/// The section `settings` is text: a line `path=value` for each key, in the order of the configuration.
enum LastingSettings {
    static let section = "settings"
    /// Far more than any configuration has.
    private static let sizeLimit: UInt64 = 1 << 20

    static func encode(_ settings: [LastingSetting]) -> [UInt8] {
        settings.flatMap { Array("\($0.path)=\($0.value)\n".utf8) }
    }

    /// Checks that the state in a snapshot was made under these settings.
    /// - Throws: `StateError.changed` for the first key that differs, `PersistenceError` where the section cannot be read.
    static func check(_ settings: [LastingSetting], against reader: SnapshotReader) throws {
        guard let section = reader.section(section) else { throw StateError.missing(section: section) }
        guard section.length <= sizeLimit else { throw StateError.damaged(section: Self.section) }
        var bytes: [UInt8] = []
        try reader.read(Self.section) { bytes += $0 }
        let text = String(decoding: bytes, as: UTF8.self)
        var saved: [Substring: Substring] = [:]
        for line in text.split(separator: "\n") {
            let parts = line.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2 else { throw StateError.damaged(section: Self.section) }
            saved[parts[0]] = parts[1]
        }
        for setting in settings where saved[setting.path[...]] ?? "unset" != setting.value {
            throw StateError.changed(key: setting.path, saved: String(saved[setting.path[...]] ?? "unset"), now: setting.value)
        }
        let known = Set(settings.map { $0.path[...] })
        if let gone = saved.keys.filter({ !known.contains($0) }).min() {
            throw StateError.changed(key: String(gone), saved: String(saved[gone] ?? ""), now: "unset")
        }
    }
}

extension Configuration {
    /// Every key whose change asks for a new model, with its value.
    var lastingSettings: [LastingSetting] {
        var printer = SettingPrinter(commented: false)
        for entry in Configuration.section.entries { entry.print(self, entry.name, &printer) }
        return printer.lasting
    }
}
