import Glibc
public import Factorization

/// How good predictions were, by the loss that the model was taught: sums over events, each predicted before it was learned.
///
/// * squared: `rmse`, `mae`, predictions limited to the labels seen before;
/// * logistic: `log_loss` (of an event, the mean over it and its negatives), `auc`, `calibration` (Σ of probabilities over Σ of
///   labels) and `calibration_error` (mean distance of predicted and observed over twenty bins of the predicted);
/// * bpr: `pair_loss`, `auc`; warp: `hinge`, `auc`.
///
/// `auc` is the share of sampled negatives below their event. Where events come without negatives but with labels of both kinds it
/// is the area under the ROC curve, from 2,000 bins of the score.
public struct PredictionMetrics: Sendable {
    /// One bin of calibration.
    public struct Bin: Sendable, Equatable {
        public var count = 0.0
        public var predicted = 0.0
        public var observed = 0.0
    }

    public let loss: ModelSettings.Loss
    public private(set) var events = 0
    private var lossSum = 0.0
    private var magnitudes = 0.0
    private var comparisons = 0.0
    private var wins = 0.0
    /// By predicted probability; logistic loss.
    public private(set) var bins: [Bin]
    /// Events by score, by label below and from one half on; without negatives.
    private var lows: [Double] = []
    private var highs: [Double] = []

    private static let binCount = 20, scoreBins = 2000, scoreSpan = 20.0

    public init(loss: ModelSettings.Loss) {
        self.loss = loss
        bins = loss == .logistic ? [Bin](repeating: Bin(), count: PredictionMetrics.binCount) : []
    }

    /// Takes one prediction.
    /// - Parameters:
    ///   - negatives: scores of the event's sampled items.
    ///   - range: least and greatest label before; predictions of squared loss are limited to it.
    public mutating func add(score: Float, label: Float, negatives: ArraySlice<Float>, range: ClosedRange<Float>?) {
        var found = 0.0
        switch loss {
        case .squared:
            let error = Double(range.map { min(max(score, $0.lowerBound), $0.upperBound) } ?? score) - Double(label)
            guard error.isFinite else { return }
            found = error * error
            magnitudes += error.magnitude
        case .logistic:
            found = negatives.reduce(softplus(score) - Double(label * score)) { $0 + softplus($1) } / Double(1 + negatives.count)
            guard found.isFinite else { return }
            calibrate(score, label)
            for other in negatives { calibrate(other, 0) }
            if negatives.isEmpty { rank(score, label) }
        case .bpr:
            guard !negatives.isEmpty else { return }
            found = negatives.reduce(0) { $0 + softplus($1 - score) } / Double(negatives.count)
        case .warp:
            guard let first = negatives.first else { return }
            found = Double(max(0, 1 + first - score))
        }
        guard found.isFinite else { return }
        events += 1
        lossSum += found
        guard loss != .squared else { return }
        for other in loss == .warp ? negatives.prefix(1) : negatives {
            comparisons += 1
            wins += other < score ? 1 : other == score ? 0.5 : 0
        }
    }

    private func softplus(_ x: Float) -> Double { Double(max(x, 0)) + log1p(exp(-Double(x.magnitude))) }

    private mutating func calibrate(_ score: Float, _ label: Float) {
        let probability = 1 / (1 + exp(-Double(score)))
        let bin = min(PredictionMetrics.binCount - 1, Int(probability * Double(PredictionMetrics.binCount)))
        bins[bin].count += 1
        bins[bin].predicted += probability
        bins[bin].observed += Double(label)
    }

    private mutating func rank(_ score: Float, _ label: Float) {
        if lows.isEmpty { (lows, highs) = ([Double](repeating: 0, count: PredictionMetrics.scoreBins), [Double](repeating: 0, count: PredictionMetrics.scoreBins)) }
        let span = PredictionMetrics.scoreSpan, place = (min(max(Double(score), -span), span) + span) / (2 * span)
        let bin = min(PredictionMetrics.scoreBins - 1, Int(place * Double(PredictionMetrics.scoreBins)))
        if label >= 0.5 { highs[bin] += 1 } else { lows[bin] += 1 }
    }

    /// Both together; of one loss.
    public static func + (a: PredictionMetrics, b: PredictionMetrics) -> PredictionMetrics {
        var sum = a
        sum.events += b.events
        sum.lossSum += b.lossSum
        sum.magnitudes += b.magnitudes
        sum.comparisons += b.comparisons
        sum.wins += b.wins
        for index in sum.bins.indices {
            sum.bins[index].count += b.bins[index].count
            sum.bins[index].predicted += b.bins[index].predicted
            sum.bins[index].observed += b.bins[index].observed
        }
        if sum.lows.isEmpty { (sum.lows, sum.highs) = (b.lows, b.highs) } else if !b.lows.isEmpty {
            for index in sum.lows.indices {
                sum.lows[index] += b.lows[index]
                sum.highs[index] += b.highs[index]
            }
        }
        return sum
    }

    /// The figures that apply, the loss first.
    public var figures: [(name: String, value: Double)] {
        guard events > 0 else { return [] }
        let mean = lossSum / Double(events)
        switch loss {
        case .squared: return [("rmse", mean.squareRoot()), ("mae", magnitudes / Double(events))]
        case .logistic: return [("log_loss", mean)] + (auc.map { [("auc", $0)] } ?? []) + calibration
        case .bpr: return [("pair_loss", mean)] + (auc.map { [("auc", $0)] } ?? [])
        case .warp: return [("hinge", mean)] + (auc.map { [("auc", $0)] } ?? [])
        }
    }

    public subscript(name: String) -> Double? { figures.first { $0.name == name }?.value }

    private var auc: Double? {
        if comparisons > 0 { return wins / comparisons }
        let positives = highs.reduce(0, +), negatives = lows.reduce(0, +)
        guard positives > 0, negatives > 0 else { return nil }
        var below = 0.0, won = 0.0
        for bin in lows.indices {
            won += highs[bin] * (below + 0.5 * lows[bin])
            below += lows[bin]
        }
        return won / (positives * negatives)
    }

    private var calibration: [(name: String, value: Double)] {
        let all = bins.reduce(into: Bin()) { sum, bin in
            sum.count += bin.count
            sum.predicted += bin.predicted
            sum.observed += bin.observed
        }
        guard all.observed > 0 else { return [] }
        let error = bins.reduce(0) { $0 + ($1.predicted - $1.observed).magnitude } / all.count
        return [("calibration", all.predicted / all.observed), ("calibration_error", error)]
    }
}

/// How high events were ranked among others: HR@n, NDCG@n and MRR@n; what is below the list counts 0.
public struct RankingMetrics: Sendable, Equatable {
    public private(set) var cases = 0
    private var hits = 0.0
    private var gains = 0.0
    private var reciprocals = 0.0

    public init() {}

    /// - Parameter rank: from 0 within the list; nil for below it.
    public mutating func add(rank: Int?) {
        cases += 1
        guard let rank else { return }
        hits += 1
        gains += 1 / log2(Double(rank + 2))
        reciprocals += 1 / Double(rank + 1)
    }

    public static func + (a: RankingMetrics, b: RankingMetrics) -> RankingMetrics {
        var sum = a
        sum.cases += b.cases
        sum.hits += b.hits
        sum.gains += b.gains
        sum.reciprocals += b.reciprocals
        return sum
    }

    private func mean(_ sum: Double) -> Double { cases > 0 ? sum / Double(cases) : 0 }
    public var hitRate: Double { mean(hits) }
    public var gain: Double { mean(gains) }
    public var reciprocalRank: Double { mean(reciprocals) }
}
