import CKernels

/// How a list of recommendations leaves room for what the model does not know yet.
public enum Exploration: Sendable, Equatable {
    /// At each place of the list, with this probability, any item that may be there, each alike; else the best one left.
    case epsilon(Double)
    /// Each item by a draw from what its score may truly be; this is the deviation for rows that were never updated.
    case thompson(scale: Double)
}

/// A list with the probabilities with which its items came to their places.
public struct ExploredSlate: Sendable, Equatable {
    public struct Place: Sendable, Equatable {
        public var item: UInt32
        /// The model's score, not the drawn one.
        public var score: Float
        /// The probability of this item at this place, over all draws.
        public var propensity: Double
    }

    public var places: [Place] = []
    /// The probability of the whole list; nil where only the places' are known.
    public var listPropensity: Double?
    /// Whether `propensity` is estimated from further draws.
    public var isEstimated = false
    /// Items that could have been drawn.
    public var candidates = 0
    /// As of a `Recommendation`.
    public var isFallback = false
    public var isSeenComplete = true
}

/// Numbers that follow from a seed: `mix64` of (seed, count).
struct ExplorationDraws {
    private let seed: UInt64
    private var count: UInt64 = 0
    private var spare: Double?

    init(seed: UInt64) { self.seed = mix64(seed) }

    mutating func next() -> UInt64 {
        count &+= 1
        return mix64(seed ^ mix64(count))
    }

    /// Uniform in 0..<1.
    mutating func unit() -> Double { Double(next() >> 11) * 0x1p-53 }

    /// Uniform in 0..<bound.
    mutating func below(_ bound: Int) -> Int { Int(next().multipliedFullWidth(by: UInt64(bound)).high) }

    /// Normal with mean 0 and variance 1 (Marsaglia and Bray 1964, the polar method).
    mutating func normal() -> Double {
        if let spare {
            self.spare = nil
            return spare
        }
        while true {
            let x = 2 * unit() - 1, y = 2 * unit() - 1, square = x * x + y * y
            guard square > 0, square < 1 else { continue }
            let factor = (-2 * fk_log(square) / square).squareRoot()
            spare = y * factor
            return x * factor
        }
    }
}

extension Scorer {
    /// Items of an explored list at most.
    public static let longestExploration = 100

    /// Recommends with room for chance: equal seeds on equal rows give equal lists. Reads only.
    public func explore(model number: Int = 0, _ query: RecommendQuery, by exploration: Exploration, seed: UInt64) -> ExploredSlate {
        precondition(query.count <= Scorer.longestExploration, "an explored list has at most \(Scorer.longestExploration) items")
        let greedy = recommend(model: number, query)
        var slate = ExploredSlate(isFallback: greedy.isFallback, isSeenComplete: greedy.isSeenComplete)
        var draws = ExplorationDraws(seed: seed)
        let candidates = admitted(query)
        slate.candidates = max(candidates.count, greedy.items.count)
        switch exploration {
        case .epsilon(let epsilon): exploreUniformly(number, query, greedy.items, candidates, epsilon, &draws, &slate)
        case .thompson(let scale):
            // Counts of interactions, which rank for somebody unknown, have no deviation of this kind.
            if greedy.isFallback {
                slate.places = greedy.items.map { ExploredSlate.Place(item: $0.item, score: $0.score, propensity: 1) }
                slate.listPropensity = 1
            } else {
                sample(number, query, candidates, scale, &draws, &slate)
            }
        }
        return slate
    }

    /// The items that the query's rules admit.
    private func admitted(_ query: RecommendQuery) -> [UInt32] {
        let count = engine.items.count
        return reading {
            _ = check.start(query, catalogue: count)
            defer { check.finish() }
            var items: [UInt32] = []
            check.forEachAdmitted(below: count) { items.append($0) }
            return items
        }
    }

    /// Scores as `recommend` has them.
    private func scores(_ number: Int, _ query: RecommendQuery, _ items: [UInt32]) -> [Float] {
        let own = query.user == Placement.none && query.visitor == nil
            ? items.map { engine.items.frequency($0) }
            : score(model: number, user: query.user, items: items, features: query.features, visitor: query.visitor)
        return reading {
            _ = check.start(query, catalogue: engine.items.count)
            defer { check.finish() }
            return zip(own, items).map { $0 + check.boost($1) }
        }
    }

    // MARK: ε-greedy

    private func exploreUniformly(
        _ number: Int, _ query: RecommendQuery, _ greedy: [ScoredItem], _ candidates: [UInt32], _ epsilon: Double,
        _ draws: inout ExplorationDraws, _ slate: inout ExploredSlate
    ) {
        var left = candidates, ordered = greedy[...]
        var ranks: [UInt32: Int] = [:]
        for (rank, item) in greedy.enumerated() { ranks[item.item] = rank + 1 }
        var taken: Set<UInt32> = [], lonely: [UInt32] = []
        let all = slate.candidates
        var product = 1.0
        for place in 0..<min(query.count, candidates.count, greedy.count) {
            while let best = ordered.first, taken.contains(best.item) { ordered.removeFirst() }
            // As many places as greedy items: one that is not taken is always left.
            let best = ordered.first!.item
            var item = best
            if draws.unit() < epsilon {
                // Taken items are moved behind `left` as they are met, so that each draw is uniform over the rest.
                repeat {
                    let index = draws.below(left.count)
                    item = left[index]
                    if taken.contains(item) { left.swapRemove(index) }
                } while taken.contains(item) && !left.isEmpty
            }
            taken.insert(item)
            product *= (item == best ? 1 - epsilon : 0) + epsilon / Double(all - place)
            if ranks[item] == nil { lonely.append(item) }
            let propensity = EpsilonGreedy.propensity(
                rank: ranks[item] ?? .max, place: place + 1, candidates: all, epsilon: epsilon)
            slate.places.append(ExploredSlate.Place(item: item, score: 0, propensity: propensity))
        }
        slate.listPropensity = product
        // Only what chance brought in has no score yet.
        var known = Dictionary(greedy.map { ($0.item, $0.score) }) { first, _ in first }
        for (item, score) in zip(lonely, scores(number, query, lonely)) { known[item] = score }
        for index in slate.places.indices { slate.places[index].score = known[slate.places[index].item] ?? 0 }
    }

    // MARK: Thompson sampling

    /// Draws that tell how likely each place is, beside the one that is answered.
    static let estimates = 1000
    /// Items that are drawn for at least; the others are too far behind.
    private static let shortlist = 256
    /// Deviations that a score is raised by for the choice of the shortlist.
    private static let optimism: Float = 3

    /// Draws each item's score from a normal distribution around the model's, of variance
    /// scale² · (1/(updates of the item's row + 1) + 1/(updates of the user's row + 1)), independently (Thompson 1933; Chapelle and Li 2011):
    /// a diagonal approximation in the space of scores, the same for every kind of model. Drawn for are the items of the
    /// highest score + 3 deviations.
    private func sample(
        _ number: Int, _ query: RecommendQuery, _ candidates: [UInt32], _ scale: Double, _ draws: inout ExplorationDraws,
        _ slate: inout ExploredSlate
    ) {
        let model = engine.models[number]
        // A visitor's row was fitted to as many items.
        let steps = query.user == Placement.none ? query.visitor?.items.count ?? 0 : Int(fk_read_state(model.users.state(query.user)).updates)
        let ofUser = 1 / (Double(steps) + 1)
        func deviation(_ item: UInt32) -> Float {
            Float(scale * (1 / (Double(fk_read_state(model.items.state(item)).updates) + 1) + ofUser).squareRoot())
        }
        var top = TopN()
        top.start(min(max(Scorer.shortlist, 4 * query.count), candidates.count))
        let block = 4096
        var scores: [UInt32: Float] = [:]
        for start in stride(from: 0, to: candidates.count, by: block) {
            let items = Array(candidates[start..<min(start + block, candidates.count)])
            for (item, score) in zip(items, self.scores(number, query, items)) {
                top.offer(ScoredItem(item: item, score: score + Scorer.optimism * deviation(item)))
            }
        }
        let shortlist = top.sorted()
        for item in shortlist { scores[item.item] = item.score - Scorer.optimism * deviation(item.item) }
        slate.candidates = shortlist.count
        slate.isEstimated = true
        let means = shortlist.map { Double(scores[$0.item] ?? 0) }, deviations = shortlist.map { Double(deviation($0.item)) }
        let count = min(query.count, shortlist.count)
        let answer = Scorer.draw(count, means, deviations, &draws)
        var matches = [Int](repeating: 1, count: count)
        for _ in 0..<Scorer.estimates {
            let other = Scorer.draw(count, means, deviations, &draws)
            for place in 0..<count where other[place] == answer[place] { matches[place] += 1 }
        }
        slate.places = zip(answer, matches).map { index, matches in
            ExploredSlate.Place(
                item: shortlist[index].item, score: Float(means[index]), propensity: Double(matches) / Double(Scorer.estimates + 1))
        }
    }

    /// The places in the shortlist of the highest draws, the highest first.
    private static func draw(_ count: Int, _ means: [Double], _ deviations: [Double], _ draws: inout ExplorationDraws) -> [Int] {
        guard count > 0 else { return [] }
        var best: [(value: Double, index: Int)] = []
        best.reserveCapacity(count + 1)
        for index in means.indices {
            let value = means[index] + deviations[index] * draws.normal()
            if best.count == count, value <= best[count - 1].value { continue }
            var place = best.count
            while place > 0, best[place - 1].value < value { place -= 1 }
            best.insert((value, index), at: place)
            if best.count > count { best.removeLast() }
        }
        return best.map(\.index)
    }
}

extension Array {
    /// Removes an element; the last one takes its place.
    fileprivate mutating func swapRemove(_ index: Int) {
        swapAt(index, count - 1)
        removeLast()
    }
}
