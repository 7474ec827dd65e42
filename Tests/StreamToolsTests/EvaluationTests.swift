import Factorization
import StreamTools
import Testing

/// The instruments of `factorctl evaluate`, on generated data whose answers are known.
@Suite("Evaluation")
struct EvaluationTests {
    @Test("A catalogue of fewer than a hundred items is ranked whole, without what a user touched")
    func smallCatalogue() {
        let pairs: [(Int64, Int64)] = [(1, 10), (2, 11), (1, 11), (2, 12), (1, 12), (2, 11), (3, 13)]
        let (stream, test) = LeaveOneOut.split(InteractionFile(pairs: pairs.map { (user: $0.0, item: $0.1) }), seed: 1)
        #expect(stream.pairs.count == 4 && test.cases.map(\.user) == [1, 2, 3])
        #expect(test.cases.map { $0.others.sorted() } == [[13], [10, 13], [10, 11, 12]])
    }

    @Test("Conditions choose events by value and by type")
    func conditions() throws {
        let event = DatasetEvent(user: .integer(1), item: .integer(2), type: "buy", value: 4)
        for (text, holds) in [
            ("value>=4", true), ("value>4", false), ("value<=4", true), ("value<4", false), ("value=4", true), ("value=5", false),
            ("type=buy", true), ("type=view", false),
        ] {
            #expect(try #require(EventCondition(text)).holds(event) == holds, "\(text)")
        }
        let silent = DatasetEvent(user: .integer(1), item: .integer(2))
        #expect(try !#require(EventCondition("value<=4")).holds(silent), "no value meets no comparison")
        for text in ["", "value", "value>=", "value>=x", "value>=nan", "type>buy", "weight>1", ">=4"] {
            #expect(EventCondition(text) == nil, "\(text)")
        }
    }

    @Test("Columns of users and items are chosen, divided, and told as upserts")
    func sideFeatures() throws {
        let folder = try TemporaryFolder()
        let users = try folder.file("users.tsv", "user_id:token\tage:token\tgender:token\tzip_code:token\n1\t24\tM\t85711\n2\t-1\tF\t9\n")
        let columns = try ["age/10", "gender"].map { try #require(SideFeatures.Column($0)) }
        let features = try SideFeatures(.user, path: users, columns: columns)
        #expect(features[.integer(1)] == [ContextPair(field: "age", value: .integer(2)), ContextPair(field: "gender", value: .text("M"))])
        #expect(features[.integer(2)].first?.value == .integer(-1), "division rounds down")
        #expect(features[.integer(3)].isEmpty && features.record(.integer(3)) == nil)
        let record = String(decoding: try #require(features.record(.integer(1))), as: UTF8.self)
        #expect(record == #"{"entity":"user","id":1,"attributes":{"age":2,"gender":"M"}}"#)
        #expect(SideFeatures.Column("age/0") == nil && SideFeatures.Column("age/x") == nil && SideFeatures.Column("") == nil)
        #expect(throws: StreamToolsError.self) { try SideFeatures(.user, path: users, columns: [#require(SideFeatures.Column("height"))]) }
        #expect(try SideFeatures(.user, path: users)[.integer(1)].count == 3, "all columns unless some are chosen")
    }

    @Test("A constant rating is predicted without error from its second time on; a file without values is refused")
    func constantRatings() throws {
        let events = (0..<400).map {
            DatasetEvent(user: .integer(Int64($0 % 20)), item: .integer(Int64($0 % 7)), type: "rating", value: 3)
        }
        let settings = EngineSettings(models: [ModelSettings(rank: 4, loss: .squared, negatives: 0)])
        let results = PrequentialEvaluation(events: events).run(settings)
        let report = try #require(results.first?.report)
        #expect(report.metric == "rmse" && report.events == 400)
        // Predictions are limited to the labels seen, so only the very first can be wrong: by 3 of 400 squares.
        #expect(abs(report.value - (9.0 / 400).squareRoot()) < 0.01, "\(report.value)")
    }

    @Test("Recall counts the event's item among those recommended before it: known cases")
    func recall() throws {
        // Each user walks through the same items in the same order; the most popular unseen one is always next.
        let walk = (0..<40).flatMap { user in (0..<8).map { DatasetEvent(user: .integer(Int64(user)), item: .integer(Int64($0))) } }
        let popularity = PrequentialEvaluation(events: walk, depth: 1).popularity()
        // The first user meets only new items; ties among what only that user has taken cost the second a few.
        #expect(try #require(popularity.recall) > 37.0 / 40 && popularity.recall! <= 39.0 / 40, "\(popularity)")
        let repeated = (0..<100).map { _ in DatasetEvent(user: .integer(1), item: .integer(1)) }
        #expect(PrequentialEvaluation(events: repeated, depth: 10).popularity().recall == 0, "an item taken before is no candidate")
        let engine = PrequentialEvaluation(events: repeated, depth: 10).run(EngineSettings(models: [ModelSettings(rank: 4)]))
        #expect(engine.first?.recall == 0, "\(engine)")
        let models = PrequentialEvaluation(events: walk, depth: 8).run(EngineSettings(models: [ModelSettings(rank: 4)]))
        // With room for the whole catalogue everything but the first user's new items is hit.
        #expect(models.first?.recall == 39.0 / 40, "\(models)")
    }

    @Test("Popularity without some items is the popularity of the rest, whatever the order of counting")
    func popularity() throws {
        var random = RandomSource(seed: 3)
        let events = (0..<3000).map { _ in
            DatasetEvent(user: .integer(Int64(random.below(50))), item: .integer(Int64(random.below(30) * random.below(30) / 29)))
        }
        // The same by plain counting; a list of 10 with ties at its end is not unique, so hits are bounded from both sides.
        var counts: [EventID: Int] = [:], own: [EventID: Set<EventID>] = [:], sure = 0, possible = 0
        for event in events {
            let candidates = counts.filter { !(own[event.user] ?? []).contains($0.key) }
            if let count = candidates[event.item] {
                if candidates.count(where: { $0.value >= count }) <= 10 { sure += 1 }
                if candidates.count(where: { $0.value > count }) < 10 { possible += 1 }
            }
            own[event.user, default: []].insert(event.item)
            counts[event.item, default: 0] += 1
        }
        let recall = try #require(PrequentialEvaluation(events: events, depth: 10).popularity().recall)
        #expect(recall >= Double(sure) / 3000 && recall <= Double(possible) / 3000, "\(sure) \(recall * 3000) \(possible)")
    }

    @Test("User and item features enter as attributes or as context, and help where they are all there is")
    func features() throws {
        // The rating is a function of the user's group alone, and every user comes once.
        let events = (0..<4000).map { (number: Int) -> DatasetEvent in
            let rating: Float = number % 2 == 0 ? 1 : 5
            return DatasetEvent(user: .integer(Int64(number)), item: .integer(Int64(number % 3)), value: rating)
        }
        var groups: [EventID: [ContextPair]] = [:]
        for user in 0..<4000 { groups[.integer(Int64(user))] = [ContextPair(field: "group", value: .integer(Int64(user % 2)))] }
        let users = SideFeatures(.user, features: groups)
        let settings = EngineSettings(models: [ModelSettings(rank: 4, loss: .squared, negatives: 0)])
        func error(_ evaluation: PrequentialEvaluation) -> Double { evaluation.run(settings)[0].report!.recent }
        let alone = error(PrequentialEvaluation(events: events))
        #expect(alone > 1.8, "\(alone)")
        for side in PrequentialEvaluation.Side.allCases {
            let told = error(PrequentialEvaluation(events: events, users: users, side: side))
            #expect(told < 0.5, "\(side): \(told)")
        }
    }
}
