import StreamTools

/// Recommendations for simulated users beside their true tastes, so that a person sees whether they make sense.
struct TasteView {
    private let truth: Simulation
    private let catalogue: ItemCatalogue
    /// How many of a user's topics count as favourites.
    private static let favourites = 2

    init(truth: Simulation) {
        self.truth = truth
        catalogue = truth.catalogue()
    }

    /// Asks for a user (an ordinal) and prints what comes. What the user has seen may come again, as it does in the truth.
    func show(user: Int, events: Int, count: Int, asking client: RequestClient) throws {
        let context = truth.settings.hours ? [ContextPair(field: "hour", value: .integer(12))] : []
        let answer = try client.recommend(user: Simulation.id(user), count: count, excludeSeen: false, context: context)
        let favourites = truth.favouriteTopics(user: user, count: TasteView.favourites)
        var table = TextTable(["", "title", "score", "a favourite"], [.right, .left, .right])
        var matches = 0
        for (rank, recommendation) in answer.items.enumerated() {
            let ordinal = Simulation.ordinal(recommendation.item, count: truth.settings.items)
            let isFavourite = ordinal.map { favourites.contains(truth.mainTopicName(item: $0)) } ?? false
            matches += isFavourite ? 1 : 0
            table.add([
                String(rank + 1), catalogue.title(of: recommendation.item) ?? recommendation.item.description,
                Quantity.fixed(recommendation.score, 2), isFavourite ? "✓" : "",
            ])
        }
        let popular = truth.popularItems(count: count).filter { favourites.contains(truth.mainTopicName(item: $0)) }.count
        say("User \(Simulation.id(user)) likes \(favourites.joined(separator: " and ")) best (\(Quantity.grouped(events)) events):")
        say(table.rendered(indent: 2))
        say("  \(matches) of \(answer.items.count) are of the favourite topics; of the \(count) most popular items \(popular) are.\n")
    }
}
