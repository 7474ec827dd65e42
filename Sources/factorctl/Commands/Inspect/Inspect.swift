import ArgumentParser
import StreamTools

struct Inspect: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Shows what is held of a user, an item, a context value or an attribute; or a model as a whole.",
        subcommands: [InspectRow.self, InspectModel.self], defaultSubcommand: InspectRow.self)
}

struct InspectRow: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "row",
        abstract: "Shows what is held of a user, an item, a context value or an attribute; of the model without any of these.",
        discussion: """
            Examples:
              factorctl inspect
              factorctl inspect --item 50
              factorctl inspect --context hour=13 --json
            """)

    @Option(help: ArgumentHelp("A user.", valueName: "id"))
    var user: EventID?
    @Option(help: ArgumentHelp("An item.", valueName: "id"))
    var item: EventID?
    @Option(help: ArgumentHelp("A context value.", valueName: "field=value"))
    var context: String?
    @Option(help: ArgumentHelp("An attribute of users.", valueName: "field=value"))
    var userAttribute: String?
    @Option(help: ArgumentHelp("An attribute of items.", valueName: "field=value"))
    var itemAttribute: String?

    @OptionGroup var model: ModelOption
    @OptionGroup var requests: RequestOptions
    @OptionGroup var output: OutputOptions

    func run() throws {
        var members = model.members
        if let user { members.append(JSONTree.Member(key: "user", value: JSONTree(user))) }
        if let item { members.append(JSONTree.Member(key: "item", value: JSONTree(item))) }
        for (pair, name) in [(context, "context"), (userAttribute, "user_attribute"), (itemAttribute, "item_attribute")] {
            if let pair { members += RequestClient.contextMember(try contextPairs([pair]), name) }
        }
        let result = try requests.client().call("inspect", .object(members))
        if output.json { return say(result.json) }
        var table = TextTable(["", "value"], [.left, .left])
        add(result, "", to: &table)
        say(table.rendered())
    }

    private func add(_ tree: JSONTree, _ prefix: String, to table: inout TextTable) {
        guard case .object(let members) = tree else { return }
        for member in members {
            if let rows = member.value.array, case .object? = rows.first {
                for row in rows {
                    let isAttribute = row["attribute"] != nil, name = (isAttribute ? row["attribute"] : row["row"])?.display ?? ""
                    if isAttribute { table.add([name, row["weight"]?.display ?? ""]) } else { add(row, "\(name) ", to: &table) }
                }
            } else if let numbers = member.value.array {
                let shown = numbers.prefix(16).map { Quantity.fixed($0.number ?? .nan, 4) }.joined(separator: " ")
                table.add([prefix + member.key, shown + (numbers.count > 16 ? " … \(numbers.count) in all" : "")])
            } else if member.key != "row" {
                table.add([prefix + member.key, member.value.display])
            }
        }
    }
}
