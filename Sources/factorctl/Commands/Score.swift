import ArgumentParser
import StreamTools

struct Score: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Scores items for a user.",
        discussion: """
            Scores are on the model's own scale (log-odds for logistic loss, the value for squared loss).

            Examples:
              factorctl score 196 242 302 377
              factorctl score alice film-1 film-2 --context hour=13 --json
            """)

    @Argument(help: "The user's id.")
    var user: EventID

    @Argument(help: "Items' ids.")
    var items: [EventID]

    @Option(name: .customLong("context"), help: ArgumentHelp("Context of the answer.", valueName: "field=value"))
    var context: [String] = []

    @Option(help: "An item file, for titles.")
    var titles: String?

    @Option(help: "The model that is to answer.")
    var model: String?

    @OptionGroup var requests: RequestOptions
    @OptionGroup var output: OutputOptions

    func run() throws {
        let context = try contextPairs(context)
        let catalogue = try titles.map { try ItemCatalogue.read(path: $0) }
        let client = try requests.client()
        let more = model.map { [JSONTree.Member(key: "model", value: .string($0))] } ?? []
        let answer = try client.call("score", RequestClient.scoreParameters(user: user, items: items, context: context, more: more))
        if output.json { return say(answer.json) }
        let scores = try RequestClient.scores(answer, count: items.count)
        var table = TextTable(["item", "score"] + (catalogue == nil ? [] : ["title"]), [.left, .right, .left])
        for (item, score) in zip(items, scores) {
            table.add([item.description, Quantity.fixed(score, 4), catalogue?.title(of: item) ?? ""])
        }
        say(table.rendered())
    }
}
