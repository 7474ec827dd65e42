import ArgumentParser
import StreamTools

struct Similar: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Lists items like an item, or users like a user.",
        discussion: """
            Likeness is the cosine of the vectors that the model's query meets; between -1 and 1.

            Examples:
              factorctl similar 50 --titles ml-100k.item.tsv.gz
              factorctl similar --user 196 -n 5
              factorctl similar "a new film" --attribute genre=horror
            """)

    @Argument(help: "The item's id.")
    var item: EventID?

    @Option(help: ArgumentHelp("In place of an item: a user.", valueName: "id"))
    var user: EventID?

    @Option(name: .customLong("attribute"), help: ArgumentHelp("What is known of an item or user that the daemon does not know.", valueName: "field=value"))
    var attributes: [String] = []

    @Option(name: [.customShort("n"), .customLong("count")], help: "How many.")
    var count = 10

    @Option(help: ArgumentHelp("Leave out this item or user; can be repeated.", valueName: "id"))
    var exclude: [EventID] = []

    @Option(help: "An item file, for titles.")
    var titles: String?

    @OptionGroup var model: ModelOption
    @OptionGroup var requests: RequestOptions
    @OptionGroup var output: OutputOptions

    func validate() throws {
        guard (item == nil) != (user == nil) else { throw ValidationError("name an item, or --user ID") }
    }

    func run() throws {
        let catalogue = try titles.map { try ItemCatalogue.read(path: $0) }
        var members = model.members + [JSONTree.Member(key: "n", value: .integer(Int64(count)))]
        if let item { members.append(JSONTree.Member(key: "item", value: JSONTree(item))) }
        if let user { members.append(JSONTree.Member(key: "user", value: JSONTree(user))) }
        if !exclude.isEmpty { members.append(JSONTree.Member(key: "exclude", value: .array(exclude.map { JSONTree($0) }))) }
        members += RequestClient.contextMember(try contextPairs(attributes), item == nil ? "attributes" : "item_attributes")
        let result = try requests.client().call("similar", .object(members))
        if output.json { return say(result.json) }
        AnswerTable(key: item == nil ? "user" : "item", figure: "similarity", catalogue: item == nil ? nil : catalogue)
            .show(result[item == nil ? "users" : "items"])
        if let fallback = result["fallback"]?.string { note("not by its own row: \(fallback)") }
    }
}

/// The option that names a model.
struct ModelOption: ParsableArguments {
    @Option(help: "The model that is asked, by name; the first one without it.")
    var model: String?

    var members: [JSONTree.Member] { model.map { [JSONTree.Member(key: "model", value: .string($0))] } ?? [] }
}

/// A ranked list of ids with a figure each.
struct AnswerTable {
    let key: String
    let figure: String
    var catalogue: ItemCatalogue?
    /// A further member that is shown as it stands.
    var extra: String?

    func show(_ list: JSONTree?) {
        let more = (extra.map { [$0] } ?? []) + (catalogue == nil ? [] : ["title"])
        var table = TextTable(["", key, figure] + more, [.right, .left, .right] + (extra == nil ? [.left] : [.right, .left]))
        for (rank, entry) in (list?.array ?? []).enumerated() {
            guard let id = entry[key]?.id else { continue }
            let number = entry[figure]?.number.map { Quantity.fixed($0, 4) } ?? ""
            let shown = extra.map { [entry[$0] == .null ? "" : entry[$0]?.display ?? ""] } ?? []
            table.add([String(rank + 1), id.description, number] + shown + (catalogue.map { [$0.title(of: id) ?? ""] } ?? []))
        }
        say(table.isEmpty ? "nothing found" : table.rendered())
    }
}
