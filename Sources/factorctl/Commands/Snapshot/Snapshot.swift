import ArgumentParser
import FactordServer
import StreamTools

/// Everything about snapshots.
struct Snapshot: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Takes, lists, checks and compares snapshots.",
        discussion: "Without a verb it takes one. Listing, checking and comparing read the state directory, with or without a daemon.",
        subcommands: [SnapshotTake.self, SnapshotList.self, SnapshotVerify.self, SnapshotDiff.self], defaultSubcommand: SnapshotTake.self)
}

/// Where snapshots lie.
struct StateOptions: ParsableArguments {
    @Option(help: ArgumentHelp("The daemon's state directory.", valueName: "dir"))
    var state = "factord-state"

    var inspection: SnapshotInspection { SnapshotInspection(state: state) }

    /// Does what reads whole snapshots, with a bar that shows how far it is.
    func inspecting<Result>(_ label: String, _ body: (SnapshotInspection) throws -> Result) rethrows -> Result {
        let progress = ByteProgress(label: label)
        defer { progress.finish() }
        return try body(SnapshotInspection(state: state, progress: progress.callAsFunction))
    }
}

struct SnapshotList: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Lists the snapshots of a state directory, newest first.",
        discussion: "Only headers and indexes are checked; `verify` checks every byte. Example: factorctl snapshot list --state /var/lib/factord")

    @OptionGroup var state: StateOptions
    @OptionGroup var output: OutputOptions

    func run() throws {
        let all = try state.inspection.list()
        if output.json { return say(JSONTree.array(all.map(\.tree)).json) }
        guard !all.isEmpty else { return say("no snapshots in \(state.state)") }
        var table = TextTable(["#", "position", "holds up to", "size", "sections", "file"], [.right, .right, .right, .right, .right])
        for (place, snapshot) in all.enumerated() {
            table.add(["\(place + 1)"] + (snapshot.fault.map { ["", "", "", "", "\(snapshot.file): \($0)"] } ?? snapshot.cells + [snapshot.file]))
        }
        say(table.rendered())
    }
}

struct SnapshotVerify: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify", abstract: "Checks every byte of a snapshot, and shows what it is made of.",
        discussion: "Ends with exit code 65 where one is damaged. Example: factorctl snapshot verify --state /var/lib/factord 1")

    @OptionGroup var state: StateOptions
    @OptionGroup var output: OutputOptions
    @Argument(help: "The number in `list`, a file's name, or a path.")
    var snapshot = "1"

    func run() throws {
        let result: (summary: SnapshotInspection.Summary, parts: [SnapshotInspection.Part])
        do {
            result = try state.inspecting("verified") { try $0.verify(snapshot) }
        } catch {
            if output.json { say(tree(["ok": .bool(false), "fault": .string("\(error)")]).json) }
            note("damaged: \(error)")
            throw ExitCode(65)
        }
        if output.json {
            let parts = result.parts.map { part in
                tree(["name": .string(part.name), "sections": .integer(Int64(part.sections)), "bytes": .integer(Int64(part.bytes))])
            }
            return say(tree(["ok": .bool(true), "snapshot": result.summary.tree, "parts": .array(parts)]).json)
        }
        var table = TextTable(["part", "sections", "size"], [.left, .right, .right])
        for part in result.parts { table.add([part.name, Quantity.grouped(part.sections), Quantity.bytes(Int(part.bytes))]) }
        say(table.rendered())
        say("\(result.summary.file): good, position \(Quantity.grouped(Int(result.summary.position))), "
            + "holds up to \(Quantity.grouped(Int(result.summary.highest))), \(Quantity.bytes(Int(result.summary.bytes)))")
    }
}

struct SnapshotDiff: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "diff", abstract: "Shows what differs between two snapshots.",
        discussion: "Example, the newest against the one before: factorctl snapshot diff 2 1")

    @OptionGroup var state: StateOptions
    @OptionGroup var output: OutputOptions
    @Argument(help: "The number in `list`, a file's name, or a path.")
    var first = "2"
    @Argument(help: "Likewise.")
    var second = "1"

    func run() throws {
        let result = try state.inspecting("compared") { try $0.difference(first, second) }
        if output.json {
            let parts = result.parts.map { part in
                tree([
                    "name": .string(part.name), "sections": .integer(Int64(part.sections)), "changed": .integer(Int64(part.changed)),
                    "resized": .integer(Int64(part.resized)), "lone": .integer(Int64(part.lone)),
                    "largest_change": part.largestChange.map { .number(Double($0)) } ?? .null,
                ])
            }
            return say(tree(["first": result.first.tree, "second": result.second.tree, "parts": .array(parts)]).json)
        }
        say("positions \(Quantity.grouped(Int(result.first.position))) and \(Quantity.grouped(Int(result.second.position)))")
        guard !result.parts.isEmpty else { return say("no difference") }
        var table = TextTable(
            ["part", "sections", "changed", "resized", "in one only", "largest change"], [.left, .right, .right, .right, .right, .right])
        for part in result.parts {
            let numbers = [part.sections, part.changed, part.resized, part.lone].map(Quantity.grouped)
            table.add([part.name] + numbers + [part.largestChange.map { Quantity.fixed(Double($0), 4) } ?? ""])
        }
        say(table.rendered())
    }
}

private func tree(_ members: JSONTree) -> JSONTree { members }

extension SnapshotInspection.Summary {
    fileprivate var cells: [String] {
        [Quantity.grouped(Int(position)), Quantity.grouped(Int(highest)), Quantity.bytes(Int(bytes)), Quantity.grouped(sections)]
    }

    fileprivate var tree: JSONTree {
        [
            "file": .string(file), "bytes": .integer(Int64(bytes)), "position": .integer(Int64(position)),
            "highest": .integer(Int64(highest)), "sections": .integer(Int64(sections)), "pieces": .integer(Int64(pieces)),
            "fault": fault.map { .string($0) } ?? .null,
        ]
    }
}
