import ArgumentParser
import StreamTools

struct Recommend: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Recommends items to users.",
        discussion: """
            Examples:
              factorctl recommend 196
              factorctl recommend 196 -n 20 --exclude 50 --exclude 181 --titles ml-100k.item.tsv.gz
              factorctl recommend --eager 3 --history ratings.csv --titles movies.csv
              factorctl recommend --taken 50 --taken 181 --titles ml-100k.item.tsv.gz
              factorctl recommend alice --no-exclude-seen --context hour=20 --json
              factorctl recommend alice --model b
              factorctl recommend alice --explore epsilon --epsilon 0.2
              factorctl recommend alice --filter 'price < 50 and not sold_out' --cap brand=2 --diversity 0.3
            """)

    @Argument(help: "The users' ids.")
    var users: [EventID] = []

    @Option(name: [.customShort("n"), .customLong("count")], help: "How many items.")
    var count = 10

    @Flag(inversion: .prefixedNo, help: "Leave out what the user has seen.")
    var excludeSeen = true

    @Option(help: ArgumentHelp("Leave out this item; can be repeated.", valueName: "item"))
    var exclude: [EventID] = []

    @Option(help: ArgumentHelp("In place of users: somebody without a row who took this item; can be repeated, oldest first.", valueName: "item"))
    var taken: [EventID] = []

    @Option(name: .customLong("context"), help: ArgumentHelp("Context of the answer.", valueName: "field=value"))
    var context: [String] = []

    @Option(help: ArgumentHelp(
        "An item file (csv, tsv, `::`, also .gz) whose titles and attributes are shown.", valueName: "file"))
    var titles: String?

    @Option(help: ArgumentHelp(
        "A file of events, as for publish; what the user valued most there is shown as well. Can be repeated.", valueName: "file"))
    var history: [String] = []

    @Option(help: ArgumentHelp("The users with the most events of the highest value in --history.", valueName: "users"))
    var eager = 0

    @OptionGroup(title: "Which model, and chance") var choice: ChoiceArguments
    @OptionGroup(title: "Rules") var rules: RuleArguments
    @OptionGroup(title: "Reading --history") var dataset: DatasetArguments
    @OptionGroup var requests: RequestOptions
    @OptionGroup var output: OutputOptions

    func validate() throws {
        guard count >= 1 else { throw ValidationError("-n: at least 1") }
        guard eager >= 0 else { throw ValidationError("--eager: not negative") }
        guard eager == 0 || !history.isEmpty else { throw ValidationError("--eager: --history FILE must tell who they are") }
        guard taken.isEmpty || users.isEmpty && eager == 0 else { throw ValidationError("--taken: in place of users") }
        guard !users.isEmpty || !taken.isEmpty || eager > 0 else { throw ValidationError("name a user, such as: factorctl recommend 196") }
    }

    func run() throws {
        let context = try contextPairs(context)
        let catalogue = try titles.map { try ItemCatalogue.read(path: $0) }
        let tastes = history.isEmpty ? nil : try UserTastes.read(paths: history, options: dataset.options)
        let client = try requests.client()
        if !taken.isEmpty { try recommend(to: nil, context, catalogue, tastes, client) }
        for user in users + (tastes?.eager(count: eager) ?? []) {
            try recommend(to: user, context, catalogue, tastes, client)
        }
    }

    private func recommend(
        to user: EventID?, _ context: [ContextPair], _ catalogue: ItemCatalogue?, _ tastes: UserTastes?, _ client: RequestClient
    ) throws {
        let result = try client.call(
            "recommend",
            RequestClient.recommendParameters(
                user: user, taken: taken, count: count, excludeSeen: excludeSeen, exclude: exclude, context: context, rules: try rules.rules(),
                more: choice.members))
        if output.json { return say(result.json) }
        let answer = try RequestClient.recommendations(result)
        if let user, users.count + eager > 1 || tastes != nil { say(heading(user, catalogue, tastes)) }
        let more = catalogue == nil ? [] : ["title", "attributes"]
        let isExplored = answer.items.contains { $0.propensity != nil }
        var table = TextTable(["", "item", "score"] + (isExplored ? ["propensity"] : []) + more, [.right, .left, .right] + (isExplored ? [.right] : []))
        for (rank, recommendation) in answer.items.enumerated() {
            let entry = catalogue?.entries[recommendation.item]
            let attributes = (entry?.attributes ?? []).map { $0.values.map(\.description).joined(separator: " ") }
            table.add([
                String(rank + 1), recommendation.item.description, Quantity.fixed(recommendation.score, 4),
            ] + (isExplored ? [Quantity.fixed(recommendation.propensity ?? 0, 4)] : []) + [entry?.title ?? "", attributes.joined(separator: ", ")])
        }
        say(table.isEmpty ? "nothing to recommend" : table.rendered())
        if let fallback = answer.fallback { note("not personal: \(fallback)") }
        if let model = answer.model { note("answered by \(model)") }
        if users.count + eager > 1 { say("") }
    }

    /// Who the user is: `User 13 (636 events) gave 5 to Heat; Casino; …`
    private func heading(_ user: EventID, _ catalogue: ItemCatalogue?, _ tastes: UserTastes?) -> String {
        guard let taste = tastes?.tastes[user] else { return "User \(user)" + (tastes == nil ? ":" : ", of whom --history knows nothing:") }
        let shown = taste.items.suffix(6).map { catalogue?.title(of: $0) ?? $0.description }
        let value = taste.topValue.map { "gave \(Quantity.short(Double($0))) to" } ?? "took"
        let rest = taste.items.count > shown.count ? "; and \(taste.items.count - shown.count) more" : ""
        return "User \(user) (\(Quantity.grouped(taste.events)) events) \(value) \(shown.joined(separator: "; "))\(rest)"
    }
}
