import ArgumentParser
import StreamTools

/// What the simulated stream is like.
struct SimulationArguments: ParsableArguments {
    @Option(help: "Users 1…N.")
    var users = 1000
    @Option(help: "Items 1…N.")
    var items = 2000
    @Option(help: "Events to generate.")
    var events = 200_000
    @Option(help: "Equal seeds (and settings) give equal streams.")
    var seed: UInt64 = 1
    @Option(help: "Kinds of items that tastes are about, at most 16.")
    var topics = 10
    @Flag(help: "Ratings 1…5 (type rating) in place of views, carts and buys.")
    var ratings = false
    @Flag(help: "Let the hour of the day move interest; events carry the context field hour.")
    var hours = false
    @Option(help: "Zipf exponent of the items' popularity.")
    var zipf: Double = 0.6
    @Option(help: "Change all tastes: flip (liked becomes disliked) or rotate (on to another topic).")
    var drift: SimulationSettings.Drift?
    @Option(help: "The event from which tastes are changed; default: half of --events.")
    var driftAt: Int?
    @Option(help: "Part of the items (0…1) that appear only from half of --events on.")
    var coldItems: Double = 0

    func validate() throws {
        guard events >= 0 else { throw ValidationError("--events: not negative") }
    }

    func simulation() throws -> Simulation {
        try Simulation(SimulationSettings(
            seed: seed, users: users, items: items, topics: topics, feedback: ratings ? .ratings : .implicit,
            popularityExponent: zipf, hours: hours, drift: drift, driftAt: driftAt ?? events / 2, coldItemFraction: coldItems,
            coldItemsAt: events / 2))
    }
}
