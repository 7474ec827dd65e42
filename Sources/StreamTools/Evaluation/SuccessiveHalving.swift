public import Factorization

/// Chooses among configurations by successive halving (Karnin, Koren and Somekh 2013; Jamieson and Talwalkar 2016): all learn the
/// beginning of a stream, the better third goes on to three times as much, and so on; the best at the end of it wins.
///
/// The survivors go on learning where they stood. What counts at each step is the later half of what was learned so far: the first
/// events tell how fast a configuration begins, not how good it gets.
public struct SuccessiveHalving: Sendable {
    /// What is compared.
    public enum Objective: String, Sendable, CaseIterable {
        case rmse, mae
        case logLoss = "log_loss"
        case auc, recall, ndcg, mrr

        /// Whether more of it is better.
        public var isGain: Bool { [.auc, .recall, .ndcg, .mrr].contains(self) }

        /// Of a part of a stream; nil where it has none.
        public func value(_ part: QualityPart) -> Double? {
            switch self {
            case .rmse, .mae, .logLoss, .auc: part.predictions[rawValue]
            case .recall: part.ranking.cases > 0 ? part.ranking.hitRate : nil
            case .ndcg: part.ranking.cases > 0 ? part.ranking.gain : nil
            case .mrr: part.ranking.cases > 0 ? part.ranking.reciprocalRank : nil
            }
        }
    }

    /// One step.
    public struct Rung: Sendable {
        /// Events learned so far.
        public var events: Int
        /// Candidates by number with what they reached, best first; last those that have no figure.
        public var candidates: [Reached]
    }

    /// What a candidate reached in the half that counts, and in each part of it.
    public struct Reached: Sendable {
        public var number: Int
        public var value: Double?
        public var parts: [Double?]

        /// How many standard errors of the mean difference, part by part, this one is better than another; nil where that says nothing.
        public func lead(over other: Reached, by objective: Objective) -> Double? {
            let gains = zip(parts, other.parts).compactMap { mine, theirs in
                mine.flatMap { mine in theirs.map { objective.isGain ? mine - $0 : $0 - mine } }
            }
            guard gains.count >= 3 else { return nil }
            let count = Double(gains.count), mean = gains.reduce(0, +) / count
            let variance = gains.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / (count - 1)
            return variance > 0 ? mean / (variance / count).squareRoot() : mean > 0 ? .infinity : 0
        }
    }

    private let evaluation: PrequentialEvaluation
    private let objective: Objective
    private let share = 3

    /// - Parameter evaluation: over the part of the stream that the choice may see.
    public init(_ evaluation: PrequentialEvaluation, by objective: Objective) {
        self.evaluation = evaluation
        self.objective = objective
    }

    /// - Parameters:
    ///   - candidates: engines whose first models are compared, one at least.
    ///   - kept: candidates, by number, that go on to the end whatever they reach: what the choice must beat.
    /// - Returns: the steps; the last one's first candidate is the choice.
    public func run(_ candidates: [EngineSettings], keeping kept: Set<Int> = [], after: (Rung) throws -> Void) rethrows -> [Rung] {
        var steps = 1, left = candidates.count
        while left > share {
            left = (left + share - 1) / share
            steps += 1
        }
        var evaluation = evaluation
        let scale = (1..<steps).reduce(1) { product, _ in product * share }
        // Halves of every step begin and end with a part.
        evaluation.parts = 2 * scale
        let placed = evaluation.placed()
        var lanes = candidates.enumerated().map { (number: $0, lane: EvaluationLane(evaluation, $1)) }
        var rungs: [Rung] = [], done = 0, parts = 2
        for step in 0..<steps {
            let end = step == steps - 1 ? placed.count : placed.firstIndex { $0.part >= parts } ?? placed.count
            for start in stride(from: done, to: end, by: 500) {
                for (_, lane) in lanes { lane.take(placed[start..<min(start + 500, end)], isHeldOut: false) }
            }
            done = end
            let found = lanes.map { number, lane in
                let report = lane.settled(), loss = candidates[number].models[0].loss
                let half = report.parts[parts / 2..<parts]
                return Reached(number: number, value: objective.value(QualityPart.joined(half, loss: loss)), parts: half.map(objective.value))
            }
            let ordered = found.sorted { better($0, $1) }
            rungs.append(Rung(events: placed[..<end].count { if case .event = $0.record { true } else { false } }, candidates: ordered))
            try after(rungs[step])
            let best = kept.union(ordered.prefix((ordered.count + share - 1) / share).map(\.number))
            lanes = lanes.filter { best.contains($0.number) }
            parts *= share
        }
        return rungs
    }

    private func better(_ a: Reached, _ b: Reached) -> Bool {
        switch (a.value, b.value) {
        case (let x?, let y?) where x != y && x.isFinite && y.isFinite: objective.isGain ? x > y : x < y
        case (let x?, _) where b.value?.isFinite != true && x.isFinite: true
        case (_, let y?) where a.value?.isFinite != true && y.isFinite: false
        default: a.number < b.number
        }
    }
}
