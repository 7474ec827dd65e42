import Yams

/// A configuration as it was written, each part with its origin: what a file, environment variables and flags are merged
/// into before anything is interpreted.
struct SettingNode {
    enum Content {
        /// Text; `isPlain` when it stood without quotes, so that `~` means nothing rather than a tilde.
        case scalar(String, isPlain: Bool)
        case sequence([SettingNode])
        case mapping([Member])
    }

    struct Member {
        let name: String
        let origin: SettingOrigin
        var node: SettingNode
    }

    var origin: SettingOrigin
    var content: Content

    /// Written, but left empty: the same as not written.
    var isEmpty: Bool {
        if case .scalar(let text, isPlain: true) = content { return text.isEmpty || text == "~" || text == "null" }
        return false
    }

    /// The node under a name of a mapping.
    subscript(name: String) -> SettingNode? {
        guard case .mapping(let members) = content else { return nil }
        return members.last { $0.name == name }?.node
    }

    /// The text of a scalar.
    var text: String? {
        guard case .scalar(let text, _) = content, !isEmpty else { return nil }
        return text
    }

    /// What was found, for a message.
    var summary: String {
        switch content {
        case .scalar(let text, _): text.count > 60 ? "`\(text.prefix(57))…`" : "`\(text)`"
        case .sequence: "a list"
        case .mapping: "a group of keys"
        }
    }
}

extension SettingNode {
    /// Reads YAML.
    ///
    /// - Returns: nil for an empty document.
    static func parse(yaml: String, file: String) throws(ConfigurationError) -> SettingNode? {
        let origin = { (mark: Mark?) in SettingOrigin.line(mark?.line ?? 1, file: file) }
        func fault(_ mark: Mark?, _ problem: String) -> ConfigurationError {
            .faults([ConfigurationFault(origin: origin(mark), path: "", problem: problem)])
        }
        do {
            guard let root = try Yams.compose(yaml: yaml) else { return nil }
            return SettingNode(root, origin: origin)
        } catch YamlError.scanner(_, let problem, let mark, _), YamlError.parser(_, let problem, let mark, _),
            YamlError.composer(_, let problem, let mark, _)
        {
            throw fault(mark, "not valid YAML: \(problem)")
        } catch YamlError.duplicatedKeysInMapping(let duplicates, let context) {
            throw fault(context.mark, "a key is written twice: \(duplicates.joined(separator: ", "))")
        } catch {
            throw fault(nil, "not valid YAML: \(error)")
        }
    }

    /// The value of an environment variable or a flag: YAML where it reads as such (so that `[a, b]` is a list), else text.
    init(value: String, origin: SettingOrigin) {
        if let node = try? Yams.compose(yaml: value) {
            self.init(node) { _ in origin }
        } else {
            self.init(origin: origin, content: .scalar(value, isPlain: value.isEmpty))
        }
    }

    private init(_ node: Node, origin: (Mark?) -> SettingOrigin) {
        self.origin = origin(node.mark)
        switch node {
        case .scalar(let scalar):
            content = .scalar(scalar.string, isPlain: scalar.style == .plain || scalar.style == .any)
        case .sequence(let sequence):
            content = .sequence(sequence.map { SettingNode($0, origin: origin) })
        case .mapping(let mapping):
            content = .mapping(mapping.map { key, value in
                Member(name: key.string ?? "", origin: origin(key.mark), node: SettingNode(value, origin: origin))
            })
        case .alias:
            content = .scalar("", isPlain: true)
        }
    }
}

extension SettingNode {
    /// One step of a path: a name, or a place in a list.
    enum Step: Equatable {
        case name(String)
        case index(Int)
    }

    /// Lists that an override may extend, so that a stray index cannot ask for a gigantic one.
    static let longestList = 256

    /// Puts a value at a path, making groups and lists on the way. What a list lacks before the index is left empty.
    ///
    /// - Returns: false when the path leads through something of another shape.
    mutating func set(_ value: SettingNode, at path: some Collection<Step>) -> Bool {
        guard let step = path.first else { self = value; return true }
        let rest = path.dropFirst()
        switch step {
        case .name(let name):
            var members: [Member] = []
            if case .mapping(let existing) = content { members = existing } else if !isEmpty { return false }
            let place = members.lastIndex { $0.name == name } ?? members.count
            if place == members.count {
                members.append(Member(name: name, origin: value.origin, node: .empty(value.origin)))
            }
            guard members[place].node.set(value, at: rest) else { return false }
            content = .mapping(members)
        case .index(let index):
            var elements: [SettingNode] = []
            if case .sequence(let existing) = content { elements = existing } else if !isEmpty { return false }
            guard index < SettingNode.longestList else { return false }
            while elements.count <= index { elements.append(.empty(value.origin)) }
            guard elements[index].set(value, at: rest) else { return false }
            content = .sequence(elements)
        }
        return true
    }

    static func empty(_ origin: SettingOrigin) -> SettingNode {
        SettingNode(origin: origin, content: .scalar("", isPlain: true))
    }
}
