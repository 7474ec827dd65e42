/// Prequential quality as people read it.
public struct PrequentialReport: Sendable, Equatable {
    /// One figure over all events, over about the last 7,000 (exponential forgetting, half-life 5,000 events), and over a window of
    /// about the last 10,000.
    public struct Measure: Sendable, Equatable {
        /// `rmse`, `mae`, `log_loss`, `pair_loss`, `hinge`, `auc` or `calibration`.
        public var name: String
        public var value: Double
        public var recent: Double
        public var window: Double

        public init(name: String, value: Double, recent: Double, window: Double) {
            self.name = name
            self.value = value
            self.recent = recent
            self.window = window
        }
    }

    /// The loss first: `rmse` and `mae`; `log_loss`; `pair_loss`; `hinge`. Then, where there are negatives, `auc`: the share of them
    /// that scored below their positive. For logistic loss also `calibration`: Σ of predicted probabilities over Σ of labels, of
    /// events and their negatives, 1 for a model that neither promises too much nor too little.
    public var measures: [Measure]
    public var events: Int
    /// Events in the window.
    public var windowEvents: Int

    public var metric: String { measures[0].name }
    public var value: Double { measures[0].value }
    public var recent: Double { measures[0].recent }
    public var auc: Double? { self["auc"]?.value }
    public var recentAUC: Double? { self["auc"]?.recent }

    public subscript(name: String) -> Measure? { measures.first { $0.name == name } }

    /// - Parameter window: as `PrequentialWindow.shown`.
    init(_ sums: Prequential.Sums, window: [Double], loss: ModelSettings.Loss) {
        func mean(_ sum: Double, _ count: Double) -> Double { count > 0 ? sum / count : 0 }
        events = Int(sums.events)
        windowEvents = Int(window[4])
        let losses = (mean(sums.loss, sums.events), mean(sums.recentLoss, sums.recentEvents), mean(window[5], window[4]))
        let wins = (
            mean(sums.wins, sums.comparisons), mean(sums.recentWins, sums.recentComparisons), mean(window[7], window[6])
        )
        switch loss {
        case .squared:
            measures = [
                Measure(name: "rmse", value: losses.0.squareRoot(), recent: losses.1.squareRoot(), window: losses.2.squareRoot()),
                Measure(
                    name: "mae", value: mean(sums.wins, sums.events), recent: mean(sums.recentWins, sums.recentEvents),
                    window: mean(window[7], window[4])),
            ]
            return
        case .logistic: measures = [Measure(name: "log_loss", value: losses.0, recent: losses.1, window: losses.2)]
        case .bpr: measures = [Measure(name: "pair_loss", value: losses.0, recent: losses.1, window: losses.2)]
        case .warp: measures = [Measure(name: "hinge", value: losses.0, recent: losses.1, window: losses.2)]
        }
        if sums.comparisons > 0 { measures.append(Measure(name: "auc", value: wins.0, recent: wins.1, window: wins.2)) }
        if loss == .logistic, window[1] > 0 {
            measures.append(
                Measure(
                    name: "calibration", value: mean(window[0], window[1]), recent: mean(window[2], window[3]),
                    window: mean(window[8], window[9])))
        }
    }
}
