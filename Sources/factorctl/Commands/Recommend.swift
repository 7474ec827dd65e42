import ArgumentParser
import StreamTools

struct Recommend: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Recommends items to a user.",
        discussion: """
            Examples:
              factorctl recommend 196
              factorctl recommend 196 -n 20 --exclude 50 --exclude 181 --titles ml-100k.item.tsv.gz
              factorctl recommend alice --no-exclude-seen --context hour=20 --json
            """)

    @Argument(help: "The user's id.")
    var user: EventID

    @Option(name: [.customShort("n"), .customLong("count")], help: "How many items.")
    var count = 10

    @Flag(inversion: .prefixedNo, help: "Leave out what the user has seen.")
    var excludeSeen = true

    @Option(help: ArgumentHelp("Leave out this item; can be repeated.", valueName: "item"))
    var exclude: [EventID] = []

    @Option(name: .customLong("context"), help: ArgumentHelp("Context of the answer.", valueName: "field=value"))
    var context: [String] = []

    @Option(help: ArgumentHelp(
        "An item file (csv, tsv, `::`, also .gz) whose titles and attributes are shown.", valueName: "file"))
    var titles: String?

    @OptionGroup var requests: RequestOptions
    @OptionGroup var output: OutputOptions

    func validate() throws {
        guard count >= 1 else { throw ValidationError("-n: at least 1") }
    }

    func run() throws {
        let context = try contextPairs(context)
        let catalogue = try titles.map { try ItemCatalogue.read(path: $0) }
        let client = try requests.client()
        let result = try client.call(
            "recommend",
            RequestClient.recommendParameters(
                user: user, count: count, excludeSeen: excludeSeen, exclude: exclude, context: context))
        if output.json { return say(result.json) }
        let answer = try RequestClient.recommendations(result)
        let more = catalogue == nil ? [] : ["title", "attributes"]
        var table = TextTable(["", "item", "score"] + more, [.right, .left, .right])
        for (rank, recommendation) in answer.items.enumerated() {
            let entry = catalogue?.entries[recommendation.item]
            let attributes = (entry?.attributes ?? []).map { $0.values.map(\.description).joined(separator: " ") }
            table.add([
                String(rank + 1), recommendation.item.description, Quantity.fixed(recommendation.score, 4), entry?.title ?? "",
                attributes.joined(separator: ", "),
            ])
        }
        say(table.isEmpty ? "nothing to recommend" : table.rendered())
        if let fallback = answer.fallback { note("not personal: \(fallback)") }
    }
}
