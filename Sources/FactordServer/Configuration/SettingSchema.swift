/// When a changed key takes effect.
public enum ReloadClass: String, Sendable, Codable {
    /// At the next reload: SIGHUP, or `factorctl reload`.
    case live
    /// At the next start.
    case restart
    /// Only for a model that starts from nothing: the daemon refuses to start on the old state.
    case newModel = "new-model"
}

/// One key, as people see it.
public struct KeyDescription: Sendable, Equatable {
    public enum Shape: Sendable, Equatable {
        /// A value of a type, with its default as YAML.
        case value(type: String, defaultText: String, reload: ReloadClass)
        /// A group of keys.
        case group([KeyDescription])
        /// A list of groups.
        case list([KeyDescription])
        /// A group for each name that the user chooses.
        case map([KeyDescription])
    }

    public let name: String
    public let help: String
    public let shape: Shape
}

/// The keys of a group and the fields that hold them.
struct Section<Root> {
    /// Settles defaults that depend on other keys of the group, before these are read.
    var prepare: (inout Root, SettingNode) -> Void = { _, _ in }
    let entries: [SettingEntry<Root>]
}

/// One key of a group of type `Root`: how it is described, read into a field, and printed.
struct SettingEntry<Root> {
    let name: String
    let describe: (Root) -> KeyDescription
    let read: (SettingNode, String, inout Root, inout SettingReader) -> Void
    let print: (Root, String, inout SettingPrinter) -> Void
    /// Whether null is a value.
    var takesNull = false
}

extension SettingEntry {
    /// A key with a plain value.
    ///
    /// - Parameter defaultText: Said in place of the default where that depends on other keys or on the machine.
    static func value<Value>(
        _ name: String, _ field: WritableKeyPath<Root, Value>, _ type: SettingType<Value>, _ reload: ReloadClass,
        defaultText: String? = nil, _ help: String
    ) -> SettingEntry {
        let describe = { (root: Root) in
            KeyDescription(
                name: name, help: help,
                shape: .value(type: type.name, defaultText: defaultText ?? type.write(root[keyPath: field]), reload: reload))
        }
        return SettingEntry(
            name: name, describe: describe,
            read: { node, path, root, reader in
                if let value = type.read(node) { root[keyPath: field] = value } else { reader.reject(node, path, type) }
            },
            print: { root, path, printer in
                printer.value(name, type.write(root[keyPath: field]), path: path, help: help, type: type.name, reload: reload)
            }, takesNull: type.takesNull)
    }

    /// A group of keys under one key.
    static func group<Group>(
        _ name: String, _ field: WritableKeyPath<Root, Group>, _ section: Section<Group>, _ help: String
    ) -> SettingEntry {
        SettingEntry(
            name: name,
            describe: { root in
                KeyDescription(name: name, help: help, shape: .group(section.entries.map { $0.describe(root[keyPath: field]) }))
            },
            read: { node, path, root, reader in reader.read(section, node, path, into: &root[keyPath: field]) },
            print: { root, path, printer in
                printer.group(name, help: help) { printer in
                    for entry in section.entries { entry.print(root[keyPath: field], path + "." + entry.name, &printer) }
                }
            })
    }

    /// A list of groups; `element` gives the one at a place before its keys are read.
    static func list<Element>(
        _ name: String, _ field: WritableKeyPath<Root, [Element]>, of section: Section<Element>,
        element: @escaping (Int) -> Element, _ help: String
    ) -> SettingEntry {
        SettingEntry(
            name: name,
            describe: { _ in
                KeyDescription(name: name, help: help, shape: .list(section.entries.map { $0.describe(element(0)) }))
            },
            read: { node, path, root, reader in
                guard case .sequence(let nodes) = node.content else {
                    return reader.reject(node, path, expected: "a list, each part of which begins with `-`")
                }
                root[keyPath: field] = nodes.enumerated().map { index, node in
                    var value = element(index)
                    reader.read(section, node, "\(path)[\(index)]", into: &value)
                    return value
                }
            },
            print: { root, path, printer in
                printer.group(name, help: help) { printer in
                    for (index, value) in root[keyPath: field].enumerated() {
                        printer.element(first: index == 0) { printer in
                            for entry in section.entries { entry.print(value, "\(path)[\(index)].\(entry.name)", &printer) }
                        }
                    }
                }
            })
    }

    /// A group for each name of the user's choice; what is there by default stays.
    static func map<Element>(
        _ name: String, _ field: WritableKeyPath<Root, [String: Element]>, of section: Section<Element>, element: Element, _ help: String
    ) -> SettingEntry {
        SettingEntry(
            name: name,
            describe: { _ in
                KeyDescription(name: name, help: help, shape: .map(section.entries.map { $0.describe(element) }))
            },
            read: { node, path, root, reader in
                guard case .mapping(let members) = node.content else {
                    return reader.reject(node, path, expected: "a group of keys, one for each name")
                }
                for member in members {
                    var value = root[keyPath: field][member.name] ?? element
                    reader.read(section, member.node, "\(path).\(member.name)", into: &value)
                    root[keyPath: field][member.name] = value
                }
            },
            print: { root, path, printer in
                printer.group(name, help: help) { printer in
                    for (index, member) in root[keyPath: field].sorted(by: { $0.key < $1.key }).enumerated() {
                        printer.group(quoted(member.key), help: "", explained: index == 0) { printer in
                            for entry in section.entries { entry.print(member.value, "\(path).\(member.key).\(entry.name)", &printer) }
                        }
                    }
                }
            })
    }
}

/// Fills a configuration from what was written and gathers every fault on the way.
struct SettingReader {
    private(set) var faults: [ConfigurationFault] = []
    /// Where each key that was written stands, by path.
    private(set) var origins: [String: SettingOrigin] = [:]

    mutating func read<Root>(_ section: Section<Root>, _ node: SettingNode, _ path: String, into root: inout Root) {
        origins[path] = node.origin
        section.prepare(&root, node)
        if node.isEmpty { return }
        guard case .mapping(let members) = node.content else {
            return reject(node, path, expected: "a group of keys (\(section.entries.map(\.name).joined(separator: ", ")))")
        }
        for member in members {
            let inner = path.isEmpty ? member.name : "\(path).\(member.name)"
            guard let entry = section.entries.first(where: { $0.name == member.name }) else {
                let names = section.entries.map(\.name)
                let advice = nearest(to: member.name, among: names).map { "did you mean `\($0)`?" }
                    ?? "known here: \(names.joined(separator: ", "))"
                add(member.origin, inner, "unknown key; \(advice)")
                continue
            }
            origins[inner] = member.origin
            if !member.node.isEmpty || entry.takesNull { entry.read(member.node, inner, &root, &self) }
        }
    }

    /// The faults in the order of the file's lines; after them those from elsewhere, as they were found.
    var faultsInOrder: [ConfigurationFault] {
        let ranked = faults.enumerated().map { place, fault -> (line: Int, place: Int, fault: ConfigurationFault) in
            if case .line(let line, _) = fault.origin { return (line, place, fault) }
            return (Int.max, place, fault)
        }
        return ranked.sorted { ($0.line, $0.place) < ($1.line, $1.place) }.map(\.fault)
    }

    mutating func reject<Value>(_ node: SettingNode, _ path: String, _ type: SettingType<Value>) {
        let suggestion = node.text.flatMap { nearest(to: $0, among: type.words) }.map { " (did you mean `\($0)`?)" } ?? ""
        reject(node, path, expected: type.expected, suggestion)
    }

    mutating func reject(_ node: SettingNode, _ path: String, expected: String, _ suggestion: String = "") {
        add(node.origin, path, "\(node.summary) is not right; expected \(expected)\(suggestion)")
    }

    mutating func add(_ origin: SettingOrigin, _ path: String, _ problem: String) {
        faults.append(ConfigurationFault(origin: origin, path: path, problem: problem))
    }
}
