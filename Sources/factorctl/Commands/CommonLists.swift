import ArgumentParser
import StreamTools

/// What the lists that are the same for everybody have in common.
struct CommonListOptions: ParsableArguments {
    @Option(name: [.customShort("n"), .customLong("count")], help: "How many items.")
    var count = 10

    @Option(help: ArgumentHelp("Leave out what this user has seen.", valueName: "id"))
    var user: EventID?

    @Option(help: ArgumentHelp("Leave out this item; can be repeated.", valueName: "item"))
    var exclude: [EventID] = []

    @Option(help: ArgumentHelp("An attribute filter, as recommend takes it.", valueName: "expression"))
    var filter: String?

    @Option(help: ArgumentHelp("Interactions (latest: events) after which one counts half.", valueName: "events"))
    var halfLife: Double?

    @Option(help: "An item file, for titles.")
    var titles: String?

    @OptionGroup var requests: RequestOptions
    @OptionGroup var output: OutputOptions

    func show(_ method: String, extra: String? = nil) throws {
        let catalogue = try titles.map { try ItemCatalogue.read(path: $0) }
        var members = [JSONTree.Member(key: "n", value: .integer(Int64(count)))]
        if let user { members.append(JSONTree.Member(key: "user", value: JSONTree(user))) }
        if !exclude.isEmpty { members.append(JSONTree.Member(key: "exclude", value: .array(exclude.map { JSONTree($0) }))) }
        if let filter { members.append(JSONTree.Member(key: "filter", value: .string(filter))) }
        if let halfLife { members.append(JSONTree.Member(key: "half_life", value: .number(halfLife))) }
        let result = try requests.client().call(method, .object(members))
        if output.json { return say(result.json) }
        AnswerTable(key: "item", figure: "score", catalogue: catalogue, extra: extra).show(result["items"])
        if let interactions = result["interactions"]?.integer { note("of the last \(Quantity.grouped(interactions)) interactions") }
    }
}

struct Popular: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Lists the items taken most.",
        discussion: "Counts fade by popularity.half_life; with --half-life the newest interactions alone are counted.\n\nExample: factorctl popular -n 20")
    @OptionGroup var options: CommonListOptions
    func run() throws { try options.show("popular") }
}

struct Trending: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Lists the items that are taken more of late than in the long run.",
        discussion: "The score is in standard deviations of what the long run makes one expect.\n\nExample: factorctl trending --half-life 10000")
    @OptionGroup var options: CommonListOptions
    func run() throws { try options.show("trending") }
}

struct Latest: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Lists the items that came last.",
        discussion: "`since` is the position of an item's first event or attributes.\n\nExample: factorctl latest -n 5 --titles films.tsv")
    @OptionGroup var options: CommonListOptions
    func run() throws { try options.show("latest", extra: "since") }
}
