import ArgumentParser
import StreamTools

struct Explain: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Says why a user and an item have their score: the terms that sum to it.",
        discussion: """
            Examples:
              factorctl explain 196 50
              factorctl explain alice film-1 --context hour=13 -n 20 --titles films.tsv
            """)

    @Argument(help: "The user's id.")
    var user: EventID

    @Argument(help: "The item's id.")
    var item: EventID

    @Option(name: .customLong("context"), help: ArgumentHelp("Context of the answer.", valueName: "field=value"))
    var context: [String] = []

    @Option(name: [.customShort("n"), .customLong("count")], help: "Terms listed; the others are summed up.")
    var count = 20

    @Option(help: "An item file, for titles.")
    var titles: String?

    @OptionGroup var model: ModelOption
    @OptionGroup var requests: RequestOptions
    @OptionGroup var output: OutputOptions

    func run() throws {
        let catalogue = try titles.map { try ItemCatalogue.read(path: $0) }
        let members = model.members + [
            JSONTree.Member(key: "user", value: JSONTree(user)), JSONTree.Member(key: "item", value: JSONTree(item)),
            JSONTree.Member(key: "n", value: .integer(Int64(count))),
        ]
        let result = try requests.client().call("explain", .object(members + RequestClient.contextMember(try contextPairs(context))))
        if output.json { return say(result.json) }
        var table = TextTable(["term", "of", "with", "value"], [.left, .left, .left, .right])
        func name(_ term: JSONTree, _ group: String, _ feature: String) -> String {
            let title = term[group]?.string == "history" ? term[feature]?.id.flatMap { catalogue?.title(of: $0) } : nil
            return [term[group]?.string, title ?? term[feature]?.display].compactMap(\.self).joined(separator: " ")
        }
        for term in result["terms"]?.array ?? [] {
            let kind = term["term"]?.string ?? "", isRest = kind == "rest"
            table.add([
                isRest ? "\(term["terms"]?.integer ?? 0) more" : kind, name(term, "group", "feature"), name(term, "with_group", "with"),
                Quantity.fixed(term["value"]?.number ?? 0, 4),
            ])
        }
        table.add(["score", "", "", Quantity.fixed(result["score"]?.number ?? 0, 4)])
        say(table.rendered())
        if let near = result["near"]?.array, !near.isEmpty {
            say("\nNearest in the user's history:")
            AnswerTable(key: "item", figure: "similarity", catalogue: catalogue).show(result["near"])
        }
        if let fallback = result["fallback"]?.string { note("not personal: \(fallback)") }
    }
}
