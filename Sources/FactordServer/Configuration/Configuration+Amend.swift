import Yams

extension Configuration {
    /// A configuration file's text with some keys set, and else as it is; comments are lost.
    ///
    /// - Parameters:
    ///   - yaml: the file's text, or "" for none.
    ///   - settings: keys as `--set` takes them, with values in YAML.
    /// - Throws: `faults` where the text is none of a configuration.
    public static func amended(
        yaml: String, file: String, settings: [(path: String, value: String)]
    ) throws(ConfigurationError) -> String {
        // Faults are told with their lines by the reader that knows the keys.
        _ = try load(yaml: yaml, file: file)
        var root = (try? Yams.compose(yaml: yaml)) ?? Node([(Node, Node)]())
        if root.mapping == nil { root = Node([(Node, Node)]()) }
        for setting in settings {
            guard let value = try? Yams.compose(yaml: setting.value) else { continue }
            set(steps(path: setting.path)[...], of: &root, to: value)
        }
        return (try? Yams.serialize(node: root)) ?? yaml
    }

    /// `models.0` is what stands under `model`, where that is how the file has it.
    private static func set(_ steps: ArraySlice<SettingNode.Step>, of node: inout Node, to value: Node) {
        guard let step = steps.first else { return node = value }
        switch step {
        case .name("models") where steps.dropFirst().first.map({ if case .index(0) = $0 { true } else { false } }) == true && node["models"] == nil:
            var inner = node["model"] ?? Node([(Node, Node)]())
            set(steps.dropFirst(2), of: &inner, to: value)
            node["model"] = inner
        case .name(let name):
            var inner = node[name] ?? Node([(Node, Node)]())
            if inner.mapping == nil && inner.sequence == nil { inner = Node([(Node, Node)]()) }
            set(steps.dropFirst(), of: &inner, to: value)
            node[name] = inner
        case .index(let index):
            guard var list = node.sequence, list.indices.contains(index) else { return }
            var inner = list[index]
            set(steps.dropFirst(), of: &inner, to: value)
            list[index] = inner
            node = .sequence(list)
        }
    }
}
