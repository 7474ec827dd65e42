public import Factorization
import LinuxSystem

/// Chooses among configurations by successive halving (Karnin, Koren and Somekh 2013; Jamieson and Talwalkar 2016): all learn the
/// beginning of a stream, the better half goes on to twice as much, and so on.
///
/// The survivors go on learning where they stood. What counts at each step is where the later half of what was learned so far leads
/// to: a straight line through the figures of its parts, read at its end. High learning rates win the first events of a stream and
/// lose the later ones, and while a mean still holds the win against the loss, the line already falls.
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

    /// What a candidate reached in each part of the half that counts.
    public struct Reached: Sendable {
        public var number: Int
        public var parts: [Double?]

        /// Where the parts lead to.
        public var value: Double? { Trend(parts)?.end }

        /// How much better this one is than another, part by part.
        public func gain(over other: Reached, by objective: Objective) -> Trend? {
            Trend(zip(parts, other.parts).map { mine, theirs in
                mine.flatMap { mine in theirs.map { objective.isGain ? mine - $0 : $0 - mine } }
            })
        }
    }

    private let evaluation: PrequentialEvaluation
    private let objective: Objective
    private static let partsOfFirst = 20

    /// - Parameter evaluation: over the part of the stream that the choice may see.
    public init(_ evaluation: PrequentialEvaluation, by objective: Objective) {
        self.evaluation = evaluation
        self.objective = objective
    }

    /// - Parameters:
    ///   - candidates: engines whose first models are compared; several of one candidate, such as with several seeds, count together.
    ///   - steps: the first one ends where doubling comes to the end of the stream with the last.
    /// - Returns: the steps; the last one's first candidate is the choice.
    public func run(_ candidates: [[EngineSettings]], steps: Int, after: (Rung) throws -> Void) rethrows -> [Rung] {
        var evaluation = evaluation
        // Halves of every step begin and end with a part.
        evaluation.parts = SuccessiveHalving.partsOfFirst << (steps - 1)
        let placed = evaluation.placed()
        var lanes = candidates.enumerated().flatMap { number, engines in engines.map { (number: number, lane: EvaluationLane(evaluation, $0)) } }
        var left = Array(candidates.indices), rungs: [Rung] = [], done = 0
        for step in 0..<steps {
            let parts = SuccessiveHalving.partsOfFirst << step
            let end = step == steps - 1 ? placed.count : placed.firstIndex { $0.part >= parts } ?? placed.count
            Parallel.forEach(lanes.count, name: "trying") { lanes[$0].lane.take(placed[done..<end], isHeldOut: false) }
            done = end
            let found = left.map { number in
                let reports = lanes.filter { $0.number == number }.map { $0.lane.settled() }, loss = candidates[number][0].models[0].loss
                return Reached(number: number, parts: (parts / 2..<parts).map { part in
                    objective.value(QualityPart.joined(reports.map { $0.parts[part] }[...], loss: loss))
                })
            }
            let ordered = found.sorted { better($0, $1) }
            rungs.append(Rung(events: placed[..<end].count { if case .event = $0.record { true } else { false } }, candidates: ordered))
            try after(rungs[step])
            left = ordered.prefix((ordered.count + 1) / 2).map(\.number)
            lanes = lanes.filter { left.contains($0.number) }
        }
        return rungs
    }

    private func better(_ a: Reached, _ b: Reached) -> Bool {
        switch (a.value, b.value) {
        case (let x?, let y?) where x != y: objective.isGain ? x > y : x < y
        case (_?, nil): true
        case (nil, _?): false
        default: a.number < b.number
        }
    }
}

/// A straight line by least squares through the figures of equal parts of a stream, in order.
public struct Trend: Sendable {
    public let mean: Double
    /// The line at the end of the last part.
    public let end: Double
    /// The mean in units of its standard error, from the scatter around the line; nil where there are too few parts to say.
    public let lead: Double?

    /// Nil without any figure, or with one that is not finite. Parts without a figure are left out.
    public init?(_ parts: [Double?]) {
        let points = parts.enumerated().compactMap { place, value in value.map { (x: Double(place), y: $0) } }
        guard !points.isEmpty, points.allSatisfy({ $0.y.isFinite }) else { return nil }
        let count = Double(points.count), middle = points.reduce(0) { $0 + $1.x } / count, mean = points.reduce(0) { $0 + $1.y } / count
        let width = points.reduce(0) { $0 + ($1.x - middle) * ($1.x - middle) }
        let slope = points.count < 3 ? 0 : points.reduce(0) { $0 + ($1.x - middle) * ($1.y - mean) } / width
        self.mean = mean
        end = mean + slope * (Double(parts.count) - 0.5 - middle)
        let scatter = points.reduce(0) { sum, point in
            let miss = point.y - mean - slope * (point.x - middle)
            return sum + miss * miss
        }
        let error = points.count < 4 ? nil : (scatter / (count - 2) / count).squareRoot()
        lead = error.map { $0 > 0 ? mean / $0 : mean > 0 ? .infinity : 0 }
    }
}
