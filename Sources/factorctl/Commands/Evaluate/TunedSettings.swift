import Factorization
import Glibc
import StreamTools

/// Draws of settings around those of a model, for `evaluate tune`.
enum TunedSettings {
    struct Candidate {
        /// For people: what differs.
        var name: String
        /// Keys of the configuration.
        var settings: [(path: String, value: String)]
    }

    private static let ranks = [8, 16, 32, 64, 128]
    private static let negatives = [2, 4, 8, 16, 32]

    /// The model itself, then draws: the rate within a factor of eight, regularisation within a factor of thirty, rank and number of
    /// negatives from a list of powers of two. Equal seeds give equal draws.
    static func draw(around model: ModelSettings, count: Int, seed: UInt64) -> [Candidate] {
        var random = RandomSource(seed: seed)
        func factor(_ most: Double) -> Double { pow(most, 2 * random.unit() - 1) }
        return [Candidate(name: "as it is", settings: [])] + (1..<count).map { _ in
            let speed = factor(8), strength = factor(30)
            let rank = ranks[random.below(ranks.count)], drawn = negatives[random.below(negatives.count)]
            var settings: [(String, String)] = [("model.rank", "\(rank)")]
            let rates = model.rates, l2 = model.l2
            for (key, rate) in [
                ("rate_user", rates.user), ("rate_item", rates.item), ("rate_context", rates.context), ("rate_history", rates.history),
                ("rate_attribute", rates.attribute), ("rate_weight", rates.weight),
            ] { settings.append(("model.optimizer.\(key)", plain(min(10, Double(rate) * speed)))) }
            for (key, value) in [
                ("user", l2.user), ("item", l2.item), ("context", l2.context), ("history", l2.history), ("attribute", l2.attribute), ("weight", l2.weight),
            ] { settings.append(("model.regularization.\(key)", plain(min(100, Double(value) * strength)))) }
            var name = "rank \(rank), rates × \(Quantity.fixed(speed, 2)), regularisation × \(Quantity.fixed(strength, 2))"
            if model.negatives > 0, model.unobserved == .sampled {
                settings.append(("model.negatives.count", "\(drawn)"))
                name += ", \(drawn) negatives"
            }
            return Candidate(name: name, settings: settings)
        }
    }

    /// Three significant digits, without an exponent.
    private static func plain(_ value: Double) -> String {
        guard value > 0 else { return "0" }
        let decimals = min(9, max(0, 2 - Int(floor(log10(value)))))
        return Quantity.fixed(value, decimals)
    }

    /// The records up to and with so many events.
    static func prefix(_ records: [DatasetRecord], events: Int) -> [DatasetRecord] {
        var left = events
        return Array(records.prefix { record in
            guard case .event = record else { return true }
            left -= 1
            return left >= 0
        })
    }
}
