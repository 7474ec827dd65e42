public import Factorization
import Glibc

/// The protocol of He et al. 2017: for each user one held-out item is ranked among items that the user never touched.
public struct LeaveOneOut: Sendable {
    /// One user's test.
    public struct Case: Sendable {
        public var user: Int64
        public var item: Int64
        /// Items to rank against, as a rule 99.
        public var others: [Int64]

        public init(user: Int64, item: Int64, others: [Int64]) {
            self.user = user
            self.item = item
            self.others = others
        }
    }

    /// HR@10 and NDCG@10 over all cases; a tie counts against the model.
    public struct Quality: Sendable, Equatable {
        /// Share of cases whose item is among the ten best.
        public var hitRate: Double
        /// Mean of 1/log₂(rank + 2), rank from 0, over the ten best.
        public var gain: Double
    }

    public var cases: [Case]

    public init(cases: [Case]) { self.cases = cases }

    /// Reads `user item negatives` lines, tab-separated, negatives separated by blanks, after a header line.
    public init(path: String) throws(StreamToolsError) {
        let lines = try LineReader(path: path)
        cases = []
        while let bytes = try lines.nextLine() {
            let fields = String(decoding: bytes, as: UTF8.self).split(separator: "\t")
            if lines.lineNumber == 1 || fields.isEmpty { continue }
            guard fields.count == 3, let user = Int64(fields[0]), let item = Int64(fields[1]) else {
                throw .malformedLine(
                    path: path, line: lines.lineNumber, reason: "user, item and negatives are expected, separated by tabs")
            }
            let others = fields[2].split(separator: " ").compactMap { Int64($0) }
            cases.append(Case(user: user, item: item, others: others))
        }
    }

    /// A validation split: each user's last interaction is taken out of the stream, against 99 items that the user never
    /// touched, drawn by the seed.
    public static func split(_ file: InteractionFile, seed: UInt64) -> (stream: InteractionFile, test: LeaveOneOut) {
        var last: [Int64: Int] = [:], touched: [Int64: Set<Int64>] = [:]
        for (index, pair) in file.pairs.enumerated() {
            last[pair.user] = index
            touched[pair.user, default: []].insert(pair.item)
        }
        let catalogue = Array(Set(file.pairs.map(\.item))).sorted(), held = Set(last.values)
        var random = RandomSource(seed: seed)
        var cases: [Case] = []
        for (user, index) in last.sorted(by: { $0.key < $1.key }) {
            var others: [Int64] = []
            // All there are, where a small catalogue has fewer.
            let count = min(99, catalogue.count - touched[user]!.count)
            while others.count < count {
                let item = catalogue[random.below(catalogue.count)]
                if !touched[user]!.contains(item) && !others.contains(item) { others.append(item) }
            }
            cases.append(Case(user: user, item: file.pairs[index].item, others: others))
        }
        let rest = file.pairs.enumerated().filter { !held.contains($0.offset) }.map(\.element)
        return (InteractionFile(pairs: rest), LeaveOneOut(cases: cases))
    }

    /// Ranks every case by `score`, which gives one score for each item of a user's list.
    public func quality<Failure: Error>(
        _ score: (_ user: Int64, _ items: [Int64]) throws(Failure) -> [Float]
    ) throws(Failure) -> Quality {
        var hits = 0.0, gain = 0.0
        for test in cases {
            let scores = try score(test.user, [test.item] + test.others)
            let rank = scores.dropFirst().count { $0 >= scores[0] || $0.isNaN } + (scores[0].isNaN ? 10 : 0)
            if rank < 10 {
                hits += 1
                gain += 1 / log2(Double(rank + 2))
            }
        }
        let count = Double(max(cases.count, 1))
        return Quality(hitRate: hits / count, gain: gain / count)
    }

    /// Ranks every case by an engine's model.
    public func quality(of engine: Engine, model: Int = 0) -> Quality {
        let scorer = Scorer(engine: engine), hashing = engine.hashing
        return quality { user, items in
            scorer.reading {
                scorer.score(
                    model: model, user: engine.users.find(Key(integer: user, hashing: hashing)),
                    items: items.map { engine.items.find(Key(integer: $0, hashing: hashing)) })
            }
        }
    }
}

extension Engine {
    /// Learns a stream on the calling thread, once, in order.
    public func learnNow(_ file: InteractionFile) {
        let batch = EventBatch()
        for pair in file.pairs {
            let record = EventRecord(
                kind: .interaction, user: Key(integer: pair.user, hashing: hashing), item: Key(integer: pair.item, hashing: hashing))
            if !batch.append(record) {
                learnNow(batch)
                batch.reset()
                _ = batch.append(record)
            }
        }
        learnNow(batch)
    }
}
