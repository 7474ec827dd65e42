import Factorization
import Glibc
import StreamTools

/// The settings of a model that `evaluate tune` searches, each by a factor of its own.
struct TunedSettings {
    /// Keys that go up and down together.
    private struct Knob {
        var title: String
        var values: [(path: String, value: Double)]
        var range: ClosedRange<Double>
        /// How far it is drawn: a standard deviation of the logarithm of its factor.
        var step: Double
        var isWhole = false
    }

    private let knobs: [Knob]
    var count: Int { knobs.count }

    /// Of what the model has: rates of each side, strengths of l2, rank, negatives, and strengths of the interaction regulariser.
    init(_ model: ModelSettings) {
        let rates = model.rates, l2 = model.l2
        func named(_ group: String, _ values: [(String, Float)]) -> [(path: String, value: Double)] {
            values.map { ("model.\(group)\($0)", Double($1)) }
        }
        func rate(_ title: String, _ values: [(String, Float)]) -> Knob {
            Knob(title: title, values: named("optimizer.rate_", values), range: 0...10, step: log(2))
        }
        func strength(_ title: String, _ values: [(String, Float)], step: Double = log(3)) -> Knob {
            Knob(title: title, values: named("regularization.", values), range: 0...100, step: step)
        }
        var knobs = [
            rate("rates: user", [("user", rates.user), ("context", rates.context), ("attribute", rates.attribute)]), rate("item", [("item", rates.item)]),
        ]
        if model.history.length > 0 { knobs.append(rate("history", [("history", rates.history)])) }
        knobs += [
            rate("weights", [("weight", rates.weight)]),
            strength("L2: factors", [
                ("user", l2.user), ("item", l2.item), ("context", l2.context), ("history", l2.history), ("attribute", l2.attribute),
            ]),
            strength("weights", [("weight", l2.weight)]),
            strength("interaction: user", [("interaction_user", model.interaction.user)], step: log(2)),
            strength("item", [("interaction_item", model.interaction.item)], step: log(2)),
            Knob(title: "rank", values: [("model.rank", Double(model.rank))], range: Double(min(4, model.rank))...Double(max(256, model.rank)), step: log(1.6), isWhole: true),
        ]
        if model.negatives > 0, model.unobserved == .sampled {
            let negatives = Double(model.negatives)
            knobs.append(Knob(title: "negatives", values: [("model.negatives.count", negatives)], range: 1...max(64, negatives), step: log(1.6), isWhole: true))
        }
        // What is switched off stays so.
        self.knobs = knobs.filter { $0.values.contains { $0.value > 0 } }
    }

    /// The keys at a place of a `SettingsSearch`; none where it began.
    func settings(at place: [Double]) -> [(path: String, value: String)] {
        if isStart(place) { return [] }
        return zip(knobs, place).flatMap { knob, distance in knob.values.map { ($0.path, text(knob, $0.value, distance)) } }
    }

    /// For people: the values.
    func name(at place: [Double]) -> String {
        if isStart(place) { return "as it is" }
        return zip(knobs, place).map { knob, distance in "\(knob.title) \(text(knob, knob.values[0].value, distance))" }.joined(separator: ", ")
    }

    private func isStart(_ place: [Double]) -> Bool { place.allSatisfy { $0 == 0 } }

    private func text(_ knob: Knob, _ value: Double, _ distance: Double) -> String {
        let value = min(max(value * exp(distance * knob.step), knob.range.lowerBound), knob.range.upperBound)
        return knob.isWhole ? "\(Int(value.rounded()))" : TunedSettings.plain(value)
    }

    /// Three significant digits, without an exponent.
    private static func plain(_ value: Double) -> String {
        guard value > 0 else { return "0" }
        return Quantity.fixed(value, min(9, max(0, 2 - Int(floor(log10(value))))))
    }
}
