import CYardstick
import Factorization
import LinuxSystem
import Synchronization

/// The best 10 of a catalogue for a user, exact, beside plain scans and beside reading the same bytes.
func retrievalBenchmarks(_ plan: Plan) -> [Benchmark] {
    let times = [Metric(name: "p50", unit: "µs", isRate: false), Metric(name: "p99", unit: "µs", isRate: false)]
    return [100_000, 1_000_000].flatMap { items in
        [32, 64].flatMap { rank in
            let name = "10 of \(items == 100_000 ? "100,000" : "1,000,000")/rank \(rank)"
            return [
                Benchmark("retrieval/\(name)", times) { try idle(plan, items: items, rank: rank) },
                Benchmark("retrieval/\(name)/while learning", times) { try learning(plan, items: items, rank: rank) },
            ]
        }
    }
}

private func idle(_ plan: Plan, items: Int, rank: Int) throws -> Prepared {
    let catalogue = try Catalogue(items: items, rank: rank), calls = (plan.isQuick ? 100 : 400) * 100_000 / items + 20
    let alone = Scorer(engine: catalogue.engine, isAlone: true), together = Scorer(engine: catalogue.engine)
    let floats = Scorer(engine: catalogue.engine, copySize: .max)
    let rows = items * (rank * 4 + 16), copied = items * rank * 5 / 8
    let block = try Block(rows)
    var best = [UInt32](repeating: 0, count: 10), sink: UInt64 = 0
    func asked(_ scorer: Scorer, excludesSeen: Bool) -> () -> [Double] {
        { percentiles(calls) { catalogue.ask(scorer, $0, excludesSeen: excludesSeen) } }
    }
    return Prepared(
        sides: [
            Side(name: "one thread", measure: asked(alone, excludesSeen: true)),
            Side(name: "two threads", measure: asked(together, excludesSeen: true)),
            Side(name: "one thread, with the seen", measure: asked(alone, excludesSeen: false)),
            Side(name: "scan of floats", measure: asked(floats, excludesSeen: true)),
            Side(name: "plain C scan") {
                percentiles(calls) { call in
                    yard_scan(catalogue.query(call), catalogue.vectors, catalogue.states, items, rank, &best, 10)
                }
            },
            Side(name: "plain C scan, two threads") { try twice(calls) { part, call in
                var best = [UInt32](repeating: 0, count: 10)
                let half = items / 2
                yard_scan(catalogue.query(call), catalogue.vectors + part * half * rank, catalogue.states + part * half, half, rank, &best, 10)
            } },
            Side(name: "reading the floats") { percentiles(calls) { _ in sink &+= yard_read(block.start, rows) } },
            Side(name: "reading the floats, two threads") { try twice(calls) { part, _ in
                precondition(yard_read(block.start + part * (rows / 2), rows / 2) != 1)
            } },
            Side(name: "reading what the first pass reads") { percentiles(calls) { _ in sink &+= yard_read(block.start, copied) } },
        ], notes: ["bytes of floats": Double(rows), "bytes of the first pass": Double(copied), "seen": Double(Catalogue.seen)])
}

/// The same while 20,000 events a second are learned.
private func learning(_ plan: Plan, items: Int, rank: Int) throws -> Prepared {
    let catalogue = try Catalogue(items: items, rank: rank), calls = (plan.isQuick ? 100 : 400) * 100_000 / items + 20
    let alone = Scorer(engine: catalogue.engine, isAlone: true), together = Scorer(engine: catalogue.engine)
    func side(_ name: String, _ scorer: Scorer) -> Side {
        Side(name: name) { try catalogue.learning(eventsPerSecond: 20_000) { percentiles(calls) { catalogue.ask(scorer, $0, excludesSeen: true) } } }
    }
    return Prepared(sides: [side("two threads", together), side("one thread", alone)], notes: ["events per s": 20_000])
}

/// p50 and p99 of single calls, in microseconds.
private func percentiles(_ calls: Int, _ body: (Int) -> Void) -> [Double] {
    let sorted = (0..<calls).map { call in seconds { body(call) } * 1e6 }.sorted()
    return [sorted[calls / 2], sorted[min(calls - 1, calls * 99 / 100)]]
}

/// Half the work on each of two threads, without waiting for each other between calls: the time of a call, twice.
private func twice(_ calls: Int, _ body: @escaping (Int, Int) -> Void) throws -> [Double] {
    let lent = Lent(body)
    let time = try seconds {
        let helper = try SystemThread(name: "second half") { for call in 0..<calls { lent.value(1, call) } }
        for call in 0..<calls { body(0, call) }
        helper.join()
    }
    return [time / Double(calls) * 1e6, time / Double(calls) * 1e6]
}

/// Lent to a thread that is waited for.
private struct Lent<Value>: @unchecked Sendable {
    let value: Value
    init(_ value: Value) { self.value = value }
}

/// Items and users with normally distributed factors, a function of their numbers alone: `Deploy/compare-retrieval` makes the same.
/// Every user has seen those 500 items that would be answered first.
final class Catalogue {
    static let users = 20, seen = 500
    let engine: Engine
    let vectors: UnsafeMutablePointer<Float>
    let states: UnsafeMutablePointer<yard_state>
    private let items: Int
    private let rank: Int
    private let queries: [[Float]]
    private let word = WakeWord()
    private let isStopping = Lent(Flag())
    private var helper: SystemThread?

    final class Flag: Sendable { let isSet = Atomic<Bool>(false) }

    /// Nearly normal, with deviation 1: the sum of four uniform numbers.
    static func number(_ index: Int) -> Float {
        let word = mix64(UInt64(index))
        let sum = Int(word & 0xFFFF) + Int(word >> 16 & 0xFFFF) + Int(word >> 32 & 0xFFFF) + Int(word >> 48)
        return Float(sum - 131_070) * (1 / 37_837)
    }
    static let userOffset = 1 << 40

    init(items: Int, rank: Int) throws {
        self.items = items
        self.rank = rank
        var model = ModelSettings(rank: rank, negatives: 4)
        model.rates = .init(user: 0.01, item: 0.01, context: 0.01, weight: 0.01)
        var settings = EngineSettings(models: [model])
        settings.scorers = 2
        engine = Engine(settings: settings)
        guard let memory = yard_allocate(items * rank * 4), let states = yard_allocate(items * 16) else { throw BenchmarkError("no memory for \(items) rows") }
        vectors = memory.bindMemory(to: Float.self, capacity: items * rank)
        self.states = states.bindMemory(to: yard_state.self, capacity: items)
        queries = (0..<Catalogue.users).map { user in (0..<rank).map { Catalogue.number(Catalogue.userOffset + user * rank + $0) } }
        let engine = engine, word = word, flag = isStopping
        helper = try SystemThread(name: "scan 0") {
            var seen: UInt32 = 0
            while !flag.value.isSet.load(ordering: .acquiring) {
                engine.team.serve(0)
                seen = word.wait(after: seen)
            }
        }
        engine.team.attach { word.signal() }
        learn((0..<items).map { (0, $0) })
        for item in 0..<items { for f in 0..<rank { vectors[item * rank + f] = Catalogue.number(item * rank + f) } }
        load()
        // What is excluded is what would be in the list.
        learn((1...Catalogue.users).map { ($0, 0) })
        load()
        let scorer = Scorer(engine: engine)
        let best = (1...Catalogue.users).flatMap { user in
            scorer.recommend(RecommendQuery(user: UInt32(user), count: Catalogue.seen, excludesSeen: false)).items.map { (user, Int($0.item)) }
        }
        learn(best)
        load()
    }

    deinit {
        isStopping.value.isSet.store(true, ordering: .releasing)
        word.signal()
        helper?.join()
        yard_free(vectors)
        yard_free(states)
    }

    /// Users are numbered as they came: user 0 has admitted the items.
    private func learn(_ events: [(user: Int, item: Int)]) {
        let batch = EventBatch(featureCapacity: 1, textCapacity: 16, messageCapacity: 1)
        for (index, event) in events.enumerated() {
            _ = batch.append(
                EventRecord(
                    kind: .interaction, user: Key(integer: Int64(event.user), hashing: engine.hashing),
                    item: Key(integer: Int64(event.item), hashing: engine.hashing), value: 1))
            if batch.recordCount == batch.recordCapacity || index == events.count - 1 {
                engine.learnNow(batch)
                batch.reset()
            }
        }
    }

    private func load() {
        for item in 0..<items { engine.setVector(item: UInt32(item), Array(UnsafeBufferPointer(start: vectors + item * rank, count: rank)), weight: 0) }
        guard engine.users.count > Catalogue.users else { return }
        for (user, query) in queries.enumerated() { engine.setVector(user: UInt32(user + 1), query, weight: 0) }
    }

    func query(_ call: Int) -> [Float] { queries[call % Catalogue.users] }

    func ask(_ scorer: Scorer, _ call: Int, excludesSeen: Bool) {
        let answer = scorer.recommend(RecommendQuery(user: UInt32(1 + call % Catalogue.users), excludesSeen: excludesSeen))
        precondition(answer.items.count == 10)
    }

    /// Runs `body` while a thread learns so many events a second, of other users.
    func learning<Value>(eventsPerSecond: Int, _ body: () -> Value) throws -> Value {
        let flag = Lent(Flag()), engine = Lent(engine), items = items, each = eventsPerSecond / 1000
        let learner = try SystemThread(name: "learner") {
            let batch = EventBatch(recordCapacity: each, featureCapacity: 1, textCapacity: 16, messageCapacity: 1)
            var number: UInt64 = 0, due = MonotonicClock.nanoseconds
            while !flag.value.isSet.load(ordering: .acquiring) {
                batch.reset()
                for _ in 0..<each {
                    number += 1
                    let word = mix64(number &+ 1 << 50)
                    _ = batch.append(
                        EventRecord(
                            kind: .interaction, user: Key(integer: Int64(1000 + word % 10_000), hashing: engine.value.hashing),
                            item: Key(integer: Int64(word >> 32) % Int64(items), hashing: engine.value.hashing), value: 1))
                }
                engine.value.learnNow(batch)
                due += 1_000_000
                let left = due - MonotonicClock.nanoseconds
                if left > 0 { MonotonicClock.sleep(microseconds: Int(left / 1000)) }
            }
        }
        defer {
            flag.value.isSet.store(true, ordering: .releasing)
            learner.join()
        }
        return body()
    }
}
