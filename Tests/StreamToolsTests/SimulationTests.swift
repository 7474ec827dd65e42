import StreamTools
import Testing

@Suite("Simulation")
struct SimulationTests {
    @Test("Equal seeds give equal streams, other seeds others", arguments: [UInt64(1), 2, 99])
    func determinism(seed: UInt64) throws {
        for feedback in SimulationSettings.Feedback.allCases {
            var settings = SimulationSettings(seed: seed, users: 50, items: 80, topics: 5, feedback: feedback, hours: true)
            var first = try Simulation(settings)
            var second = try Simulation(settings)
            settings.seed += 1
            var other = try Simulation(settings)
            let one = (0..<500).map { _ in first.next() }
            #expect(one == (0..<500).map { _ in second.next() })
            #expect(one != (0..<500).map { _ in other.next() })
        }
    }

    @Test("The generator is xoshiro256++ over SplitMix64")
    func generator() {
        // Reference: the authors' C code, seeded with four outputs of splitmix64 from state 0.
        var source = RandomSource(seed: 0)
        let first = source.next()
        let s: [UInt64] = [0xE220_A839_7B1D_CDAF, 0x6E78_9E6A_A1B9_65F4, 0x06C4_5D18_8009_454F, 0xF88B_B8A8_724C_81EC]
        let sum = s[0] &+ s[3]
        #expect(first == (sum << 23 | sum >> 41) &+ s[0])
    }

    @Test("Items come as often as the truth says")
    func frequencies() throws {
        let count = 300_000
        for hours in [false, true] {
            // One user, one hour: the distribution is `probability` itself.
            var simulation = try Simulation(SimulationSettings(
                seed: 3, users: 1, items: 60, topics: 6, hours: hours, startMilliseconds: 13 * 3_600_000, stepMilliseconds: 0))
            let truth = (0..<60).map { simulation.probability(user: 0, item: $0, hour: 13) }
            #expect(abs(truth.reduce(0, +) - 1) < 1e-5)
            var counts = [Int](repeating: 0, count: 60)
            for _ in 0..<count { counts[simulation.next().item] += 1 }
            // Pearson's chi-squared with 59 degrees of freedom: 120 is exceeded once in 200,000 times.
            let statistic = zip(counts, truth).reduce(0.0) { sum, pair in
                let expected = pair.1 * Double(count)
                return sum + (Double(pair.0) - expected) * (Double(pair.0) - expected) / expected
            }
            #expect(statistic < 120)
        }
    }

    @Test("Popularity follows Zipf's law")
    func zipf() throws {
        // One topic, so nothing but popularity decides.
        var simulation = try Simulation(SimulationSettings(seed: 4, users: 20, items: 1000, topics: 1, popularityExponent: 1))
        var counts = [Int](repeating: 0, count: 1000)
        for _ in 0..<400_000 { counts[simulation.next().item] += 1 }
        let popular = simulation.popularItems(count: 100).map { Double(counts[$0]) }
        for rank in [2, 4, 10, 50] {
            let ratio = popular[0] / popular[rank - 1]
            #expect(abs(ratio / Double(rank) - 1) < 0.15, "rank \(rank)")
        }
    }

    @Test("Drift turns tastes over at its event, not before", arguments: SimulationSettings.Drift.allCases)
    func drift(kind: SimulationSettings.Drift) throws {
        let settings = SimulationSettings(seed: 5, users: 40, items: 200, topics: 8, drift: kind, driftAt: 100)
        var simulation = try Simulation(settings)
        let start = simulation
        for _ in 0..<100 { _ = simulation.next() }
        #expect(simulation.topItems(user: 7, count: 10) == start.topItems(user: 7, count: 10))
        _ = simulation.next()
        var changed = 0
        for user in 0..<40 {
            if simulation.favouriteTopics(user: user, count: 1) != start.favouriteTopics(user: user, count: 1),
                simulation.topItems(user: user, count: 10) != start.topItems(user: user, count: 10)
            {
                changed += 1
            }
            guard kind == .flip else { continue }
            for item in [0, 50, 199] {
                #expect(simulation.affinity(user: user, item: item) == -start.affinity(user: user, item: item))
            }
        }
        #expect(changed == 40)
    }

    @Test("Cold items stay away until their event")
    func coldItems() throws {
        var simulation = try Simulation(SimulationSettings(
            seed: 6, users: 20, items: 100, topics: 4, coldItemFraction: 0.3, coldItemsAt: 5000))
        let early = (0..<5000).map { _ in simulation.next().item }
        #expect(early.allSatisfy { $0 < 70 })
        #expect(simulation.probability(user: 0, item: 99) == 0)
        let late = (0..<5000).map { _ in simulation.next().item }
        #expect(Set(late.filter { $0 >= 70 }).count > 20)
        #expect(simulation.probability(user: 0, item: 99) > 0)
    }

    @Test("Ratings are 1…5 and scatter around the truth")
    func ratings() throws {
        var simulation = try Simulation(SimulationSettings(seed: 7, users: 100, items: 100, topics: 5, feedback: .ratings))
        var error = 0.0
        var spread = 0.0
        for _ in 0..<20_000 {
            let event = simulation.next()
            #expect(event.action == .rating)
            #expect((1...5).contains(event.value) && event.value == event.value.rounded())
            let truth = min(5, max(1, simulation.expectedRating(user: event.user, item: event.item)))
            error += Double((event.value - truth) * (event.value - truth))
            spread += Double((event.value - 3.4) * (event.value - 3.4))
        }
        // Noise of 0.6 and rounding leave about 0.67 in the root mean square; far less than what there is to explain.
        #expect((error / 20_000).squareRoot() < 0.75)
        #expect(spread > 1.5 * error)
    }

    @Test("The best lists attain all, popular ones part of it, and personal tastes pay")
    func quality() throws {
        let simulation = try Simulation(SimulationSettings(seed: 8, users: 60, items: 400, topics: 8))
        var ideal = RankingQuality()
        var popular = RankingQuality()
        for user in 0..<60 {
            ideal.add(simulation.topItems(user: user, count: 10), user: user, count: 10, truth: simulation)
            popular.add(simulation.popularItems(count: 10), user: user, count: 10, truth: simulation)
        }
        #expect(abs(ideal.attainment - 1) < 1e-9)
        #expect(popular.attainment < 0.8)
        #expect(popular.hitRate < ideal.hitRate)
        // The best list is sorted and nothing outside it is better.
        let list = simulation.topItems(user: 3, count: 10)
        let values = list.map { simulation.relevance(user: 3, item: $0) }
        #expect(values == values.sorted(by: >))
        let outside = (0..<400).filter { !list.contains($0) }.map { simulation.relevance(user: 3, item: $0) }.max()!
        #expect(outside <= values.last!)
    }

    @Test("Titles name the main topic; ids and ordinals go both ways")
    func catalogue() throws {
        let simulation = try Simulation(SimulationSettings(seed: 9, users: 2, items: 50, topics: 5))
        let catalogue = simulation.catalogue()
        for item in 0..<50 {
            let id = Simulation.id(item)
            #expect(Simulation.ordinal(id, count: 50) == item)
            #expect(try #require(catalogue.title(of: id)).hasPrefix(simulation.mainTopicName(item: item) + " "))
        }
        #expect(Simulation.ordinal(.integer(0), count: 50) == nil)
        #expect(Simulation.ordinal(.integer(51), count: 50) == nil)
        #expect(Set(catalogue.entries.values.map(\.title)).count == 50)
    }

    @Test("Settings out of range are refused by name")
    func settings() {
        for (settings, name) in [
            (SimulationSettings(users: 0), "users"), (SimulationSettings(topics: 17), "topics"),
            (SimulationSettings(items: 5, topics: 6), "topics"), (SimulationSettings(coldItemFraction: 1), "coldItemFraction"),
        ] {
            #expect {
                _ = try Simulation(settings)
            } throws: { error in
                if case .invalidSetting(name, _)? = error as? StreamToolsError { true } else { false }
            }
        }
    }
}
