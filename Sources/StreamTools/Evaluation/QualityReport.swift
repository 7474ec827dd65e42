public import Factorization

/// What was made of one part of a stream.
public struct QualityPart: Sendable {
    public var predictions: PredictionMetrics
    public var ranking = RankingMetrics()

    public init(loss: ModelSettings.Loss) { predictions = PredictionMetrics(loss: loss) }

    /// Several parts as one.
    static func joined(_ parts: ArraySlice<QualityPart>, loss: ModelSettings.Loss) -> QualityPart {
        parts.reduce(into: QualityPart(loss: loss)) { sum, part in
            sum.predictions = sum.predictions + part.predictions
            sum.ranking = sum.ranking + part.ranking
        }
    }
}

/// A model's quality: all, by event type, and by part of the stream.
public struct QualityReport: Sendable {
    public var all: QualityPart
    /// By name; "" for events without a type.
    public var types: [String: QualityPart] = [:]
    /// Equal parts of the stream in its order.
    public var parts: [QualityPart]
    /// Share of the catalogue in at least one list; nil where none were asked for.
    public var coverage: Double?
    /// Least and greatest label so far.
    private var range: ClosedRange<Float>?

    public init(loss: ModelSettings.Loss, parts: Int) {
        all = QualityPart(loss: loss)
        self.parts = [QualityPart](repeating: QualityPart(loss: loss), count: max(1, parts))
    }

    /// Takes a prediction of an event of a type in a part of the stream.
    /// - Parameter learns: whether the label widens the range of later predictions.
    mutating func add(score: Float, label: Float, negatives: ArraySlice<Float>, type: String, part: Int, learns: Bool = true) {
        let known = range
        each(type, part) { $0.predictions.add(score: score, label: label, negatives: negatives, range: known) }
        if learns { widen(label) }
    }

    /// Takes a label that was learned.
    mutating func widen(_ label: Float) {
        range = range.map { min($0.lowerBound, label)...max($0.upperBound, label) } ?? label...label
    }

    mutating func add(rank: Int?, type: String, part: Int) { each(type, part) { $0.ranking.add(rank: rank) } }

    private mutating func each(_ type: String, _ part: Int, _ body: (inout QualityPart) -> Void) {
        body(&all)
        body(&types[type, default: QualityPart(loss: all.predictions.loss)])
        body(&parts[min(part, parts.count - 1)])
    }
}
