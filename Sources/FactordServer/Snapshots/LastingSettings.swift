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

    static func encode(_ settings: [LastingSetting]) -> [UInt8] {
        settings.flatMap { Array("\($0.path)=\($0.value)\n".utf8) }
    }

    /// Checks that the state in a snapshot was made under these settings.
    /// - Throws: `StateError.changed` for the first key that differs, `PersistenceError` where the section cannot be read.
    static func check(_ settings: [LastingSetting], against reader: SnapshotReader) throws {
        guard let text = try reader.text(section) else { throw StateError.missing(section: section) }
        var saved: [Substring: Substring] = [:]
        for line in text.split(separator: "\n") {
            let parts = line.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2 else { throw StateError.damaged(section: Self.section) }
            saved[parts[0]] = parts[1]
        }
        try check(settings, against: saved.map { LastingSetting(path: String($0), value: String($1)) })
    }

    /// Checks settings against those of another time.
    static func check(_ settings: [LastingSetting], against others: [LastingSetting]) throws(StateError) {
        let saved = Dictionary(others.map { ($0.path, $0.value) }) { $1 }
        for setting in settings where saved[setting.path] ?? "unset" != setting.value {
            throw .changed(key: setting.path, saved: saved[setting.path] ?? "unset", now: setting.value)
        }
        let known = Set(settings.map(\.path))
        if let gone = saved.keys.filter({ !known.contains($0) }).min() {
            throw .changed(key: gone, saved: saved[gone] ?? "", now: "unset")
        }
    }
}

extension Configuration {
    /// Every key whose change asks for a new model, with its value.
    var lastingSettings: [LastingSetting] {
        everySetting.filter { $0.reload == .newModel }.map { LastingSetting(path: $0.path, value: $0.value) }
    }
}

extension SnapshotReader {
    /// The bytes of a small section, nil where there is none. Throws `StateError.damaged` for one longer than any can be.
    func bytes(_ name: String, limit: UInt64 = 256 << 20) throws -> [UInt8]? {
        guard let section = section(name) else { return nil }
        guard section.length <= limit else { throw StateError.damaged(section: name) }
        var bytes: [UInt8] = []
        try read(name) { bytes += $0 }
        return bytes
    }

    /// The same as text.
    func text(_ name: String) throws -> String? {
        try bytes(name, limit: LearningConfiguration.sizeLimit).map { String(decoding: $0, as: UTF8.self) }
    }
}
