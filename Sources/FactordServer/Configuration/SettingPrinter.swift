/// A key with its value as YAML.
struct PrintedSetting: Equatable, Sendable {
    let path: String
    let value: String
    let reload: ReloadClass
}

/// Writes a configuration as YAML, with a comment over each key the first time that it appears.
struct SettingPrinter {
    private(set) var lines: [String] = []
    /// Every key with its value.
    private(set) var settings: [PrintedSetting] = []
    private let isCommented: Bool
    private var indent = 0
    /// Inside the second or a later part of a list or map, whose keys have been explained before.
    private var isRepeated = false
    /// The next key begins a part of a list.
    private var beginsElement = false

    init(commented: Bool) { isCommented = commented }

    mutating func value(_ name: String, _ text: String, path: String, help: String, type: String, reload: ReloadClass) {
        separate()
        comment("\(help) (\(type); \(reload.rawValue); \(environmentName(of: path)))")
        lines.append(margin() + "\(name): \(text)")
        settings.append(PrintedSetting(path: path, value: text, reload: reload))
    }

    mutating func group(_ name: String, help: String, explained: Bool = true, _ body: (inout SettingPrinter) -> Void) {
        separate()
        if !help.isEmpty { comment(help) }
        lines.append(margin() + "\(name):")
        let before = isRepeated
        if !explained { isRepeated = true }
        indent += 1
        body(&self)
        indent -= 1
        isRepeated = before
    }

    mutating func element(first: Bool, _ body: (inout SettingPrinter) -> Void) {
        let before = isRepeated
        if !first { isRepeated = true }
        indent += 1
        beginsElement = true
        body(&self)
        beginsElement = false
        indent -= 1
        isRepeated = before
    }

    /// An empty line before each key of the outermost group.
    private mutating func separate() {
        if indent == 0, isCommented, !lines.isEmpty { lines.append("") }
    }

    private mutating func comment(_ text: String) {
        guard isCommented, !isRepeated else { return }
        lines.append(String(repeating: "  ", count: beginsElement ? indent - 1 : indent) + "# \(text)")
    }

    private mutating func margin() -> String {
        defer { beginsElement = false }
        return beginsElement ? String(repeating: "  ", count: indent - 1) + "- " : String(repeating: "  ", count: indent)
    }
}

/// The environment variable of a key: `state.snapshot.keep` is `FACTORD_STATE_SNAPSHOT_KEEP`; `*` is written `DEFAULT`.
func environmentName(of path: String) -> String {
    "FACTORD_" + path.replacing("*", with: "default").uppercased().map { ".[".contains($0) ? "_" : String($0) }.joined().filter { $0 != "]" }
}

extension Configuration {
    /// The whole configuration as YAML that `load` reads back to an equal one.
    ///
    /// - Parameter commented: With a line over each key: what it does, its type, when a change takes effect, its variable.
    public func yaml(commented: Bool) -> String {
        var printer = SettingPrinter(commented: commented)
        for entry in Configuration.section.entries { entry.print(self, entry.name, &printer) }
        return printer.lines.joined(separator: "\n") + "\n"
    }

    /// Every key, with type and default: what documentation is made from.
    public static var keys: [KeyDescription] { section.entries.map { $0.describe(Configuration()) } }

    /// The keys as a Markdown table.
    public static var keyTable: String {
        var rows = ["| Key | Type | Default | Change | Meaning |", "|---|---|---|---|---|"]
        func add(_ key: KeyDescription, _ prefix: String) {
            let path = prefix + key.name
            switch key.shape {
            case .value(let type, let defaultText, let reload):
                rows.append("| `\(path)` | \(type) | `\(defaultText)` | \(reload.rawValue) | \(key.help) |")
            case .group(let inner): for key in inner { add(key, path + ".") }
            case .list(let inner): for key in inner { add(key, path + "[].") }
            case .map(let inner): for key in inner { add(key, path + ".TYPE.") }
            }
        }
        for key in keys { add(key, "") }
        return rows.joined(separator: "\n") + "\n"
    }
}
