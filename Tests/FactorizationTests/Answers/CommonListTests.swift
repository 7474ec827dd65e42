import Foundation
import Testing

@testable import Factorization

@Suite struct CommonListTests {
    private func engine(span: Int = 1000, halfLife: Int = 4000, memory: MemorySettings = MemorySettings()) -> Engine {
        var settings = EngineSettings(models: [ModelSettings(rank: 4)], queueCapacity: 256)
        settings.recentSpan = span
        settings.popularityHalfLife = halfLife
        settings.memory = memory
        return Engine(settings: settings)
    }

    private func query(_ count: Int = 10, excluded: [UInt32] = []) -> RecommendQuery {
        RecommendQuery(user: Placement.none, count: count, excludesSeen: false, excluded: excluded)
    }

    /// Item 7 has been there all the time; 90 comes up at the end.
    private func stream(_ count: Int, items: Int = 40) -> [TestEvent] {
        var dice = Dice(3)
        return (0..<count).map { n in
            let isLate = n > count - 400 && dice.below(5) == 0
            return TestEvent(user: Int64(dice.below(30)), item: isLate ? 90 : dice.below(4) == 0 ? 7 : Int64(dice.below(items)))
        }
    }

    @Test(arguments: [800, 1024, 5000]) func listsEqualPlainSums(_ span: Int) {
        let engine = engine(span: span), scorer = Scorer(engine: engine), events = stream(3000)
        engine.learn(events)
        // Places are the next power of two; no step, as there are more places than interactions.
        let places = [800: 1024, 1024: 1024, 5000: 8192][span]!, h = 200.0, known = UInt32(engine.items.count)
        #expect(engine.recentSpan == places)
        var recent = [Double](repeating: 0, count: Int(known)), long = recent
        for (age, event) in events.reversed().enumerated() {
            if age < places { recent[Int(engine.item(event.item))] += pow(2, -Double(age) / h) }
            long[Int(engine.item(event.item))] += pow(2, -Double(age) / 4000)
        }
        func expect(_ got: [ScoredItem], _ want: [Double], least: Double = 0) {
            let sorted = (0..<known).filter { want[Int($0)] > least }.sorted { want[Int($0)] > want[Int($1)] }.prefix(10)
            #expect(got.map(\.item) == Array(sorted))
            for item in got { #expect(abs(Double(item.score) - want[Int(item.item)]) < 1e-3 * max(1, want[Int(item.item)])) }
        }
        scorer.reading {
            expect(scorer.popular(query()).items, long)
            let popular = scorer.popular(query(), halfLife: h)
            expect(popular.items, recent)
            #expect(popular.interactions == min(places, 3000))
            let sum = recent.reduce(0, +), all = long.reduce(0, +)
            let rise = zip(recent, long).map { s, f in (s - sum * f / all) / (sum * f / all + 1).squareRoot() }
            let trending = scorer.trending(query(), halfLife: h)
            expect(trending.items, rise)
            #expect(trending.items[0].item == engine.item(90) && !trending.items.contains { $0.score <= 0 })
            #expect(scorer.popular(query()).items[0].item == engine.item(7))
            let without = scorer.trending(query(3, excluded: [engine.item(90)]), halfLife: h).items
            #expect(without.map(\.item) == trending.items.dropFirst().prefix(3).map(\.item))
        }
    }

    @Test func aSampleStandsForALongWindow() {
        let recent = RecentItems(span: 1 << 20)
        #expect(recent.step == 4 && recent.places == 1 << 18 && recent.span == 1 << 20)
        var dice = Dice(1), counts = [Double](repeating: 0, count: 8), items: [UInt32] = []
        for _ in 0..<40_000 {
            let item = UInt32(min(dice.below(8), dice.below(8)))
            items.append(item)
            recent.count(item)
        }
        let entries = recent.forEach(halfLife: 0) { counts[Int($0)] += $1 }
        #expect(entries == 40_000)
        for item in 0..<8 as Range<UInt32> {
            let truth = Double(items.count { $0 == item })
            // Five deviations of a sample of a quarter.
            #expect(abs(counts[Int(item)] - truth) < 5 * (3 * truth).squareRoot() + 4, "\(item): \(counts[Int(item)]) \(truth)")
        }
    }

    @Test func theNewestComeFirst() {
        let engine = engine(), scorer = Scorer(engine: engine)
        engine.learn((0..<30).map { TestEvent(user: 1, item: Int64($0)) })
        engine.describe(item: 100, [TestFeature(field: "genre", value: 1)])
        scorer.reading {
            let latest = scorer.latest(query(3), halfLife: 10)
            #expect(latest.items.map(\.item) == [engine.item(100), engine.item(29), engine.item(28)])
            #expect(latest.positions == [31, 30, 29])
            #expect(latest.items.map(\.score) == [1, Float(pow(2, -0.1)), Float(pow(2, -0.2))])
            #expect(scorer.latest(query(100), halfLife: 10).items.count == 31)
        }
    }

    @Test func anUndoLeavesTheWindowToo() {
        let engine = engine(), scorer = Scorer(engine: engine)
        engine.learn((0..<10).map { _ in TestEvent(user: 1, item: 5) } + [TestEvent(user: 1, item: 6)])
        let builder = BatchBuilder(engine)
        builder.append(.undo, user: 1, item: 5)
        engine.learnNow(builder.batch)
        let counts = scorer.reading { scorer.popular(query(), halfLife: 1e9).items }
        #expect(counts.map { $0.score.rounded() } == [9, 1])
    }

    @Test func aSnapshotHoldsBothAndAnOldOneHasNeither() throws {
        let one = engine(span: 700), events = stream(2000)
        one.learn(Array(events[..<1500]))
        var state = MemoryState(one)
        let other = engine(span: 700)
        try other.restore(from: state)
        #expect(state.differences(MemoryState(other)) == [])
        for engine in [one, other] { engine.learn(Array(events[1500...])) }
        #expect(MemoryState(one).differences(MemoryState(other)) == [])
        // Another span: the window begins anew, the newest items stay.
        let wider = engine(span: 1 << 19)
        try wider.restore(from: state)
        var entries = 0
        wider.shared.recent.forEach(halfLife: 0) { _, _ in entries += 1 }
        #expect(entries == 0)
        let positions = Scorer(engine: wider), latest = positions.reading { positions.latest(query(1), halfLife: 100) }
        #expect(latest.items[0].item == UInt32(wider.items.count - 1) && latest.positions[0] > 0)

        for section in ["recent", "newest"] { #expect(state.sections.removeValue(forKey: section) != nil) }
        let old = engine(span: 700)
        try old.restore(from: state)
        let scorer = Scorer(engine: old)
        scorer.reading {
            #expect(scorer.trending(query(), halfLife: 100).items.isEmpty)
            let latest = scorer.latest(query(2), halfLife: 100)
            #expect(latest.items.map(\.item) == [UInt32(old.items.count - 1), UInt32(old.items.count - 2)] && latest.positions == [0, 0])
            #expect(latest.items.map(\.score) == [0, 0])
        }
    }

    @Test func damagedSectionsAreRefused() throws {
        let one = engine(span: 700)
        one.learn(stream(900))
        let state = MemoryState(one)
        for (section, offset, byte) in [("recent", 0, UInt8(3)), ("recent", 8, 0), ("recent", 23, 0x7F), ("newest", 7, 0x7F)] {
            var broken = state
            broken.sections[section]![offset] = byte
            if section == "recent" && offset == 8 { for index in 8..<16 { broken.sections[section]![index] = 0 } }
            #expect(throws: StateError.damaged(section: section)) { try engine(span: 700).restore(from: broken) }
        }
        for section in ["recent", "newest"] {
            var short = state
            short.sections[section]!.removeLast()
            #expect(throws: StateError.damaged(section: section)) { try engine(span: 700).restore(from: short) }
        }
    }

    @Test func whoeverIsForgottenLeavesNoCountToTheNext() {
        var memory = MemorySettings()
        memory.budget = 1 << 30
        let engine = engine(memory: memory), scorer = Scorer(engine: engine)
        engine.learn((0..<50).map { TestEvent(user: Int64($0 % 5), item: Int64($0 % 3)) })
        let gone = engine.item(1)
        let forget = BatchBuilder(engine)
        forget.append(.forgetItem, item: 1)
        engine.learnNow(forget.batch)
        scorer.reading {
            #expect(!scorer.popular(query(), halfLife: 1e9).items.contains { $0.item == gone })
            #expect(!scorer.latest(query(), halfLife: 10).items.contains { $0.item == gone })
        }
        // Until the ordinal is free again.
        var next: Int64 = 1000
        for _ in 0..<400 where engine.items.holeCount > 0 {
            engine.learn((0..<100).map { TestEvent(user: Int64($0 % 5), item: 0) })
            next += 1
            engine.learn([TestEvent(user: 1, item: next)])
        }
        #expect(engine.items.holeCount == 0, "the ordinal must have been given again")
        let heir = (1001...next).first { engine.item($0) == gone }
        #expect(heir != nil)
        scorer.reading {
            let counts = scorer.popular(query(1000), halfLife: 0.5e9).items
            let score = counts.first { $0.item == gone }?.score ?? 0
            #expect(score > 0.9 && score < 1.1, "\(score): its own one event, and none of the old item's")
            let latest = scorer.latest(query(1000), halfLife: 10)
            #expect(latest.items.count { $0.item == gone } == 1)
        }
    }
}
