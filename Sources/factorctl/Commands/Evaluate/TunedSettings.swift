import Factorization
import Glibc
import StreamTools

/// Draws of settings around those of a model, for `evaluate tune`.
enum TunedSettings {
    struct Candidate {
        /// For people: the values.
        var name: String
        /// Keys of the configuration.
        var settings: [(path: String, value: String)]
    }

    /// Draws around a model: rates of factors and of weights each within a factor of eight, regularisation of both within a factor of
    /// thirty, rank and number of negatives up to four times as large or small. Equal seeds give equal draws.
    /// - Parameter spread: 1 for these factors, a half for their square roots.
    static func draw(around model: ModelSettings, count: Int, spread: Double, seed: UInt64) -> [Candidate] {
        var random = RandomSource(seed: seed)
        func factor(_ most: Double) -> Double { pow(most, spread * (2 * random.unit() - 1)) }
        func scaled(_ number: Int, _ range: ClosedRange<Int>) -> Int {
            min(range.upperBound, max(range.lowerBound, Int((Double(number) * pow(2, (spread * 2 * (2 * random.unit() - 1)).rounded())).rounded())))
        }
        return (0..<count).map { _ in
            let speed = factor(8), weightSpeed = factor(8), strength = factor(30), weightStrength = factor(30)
            let rank = scaled(model.rank, 4...256), negatives = scaled(max(model.negatives, 1), 1...64)
            let rates = model.rates, l2 = model.l2
            var settings: [(String, String)] = [("model.rank", "\(rank)")]
            for (key, rate, factor) in [
                ("rate_user", rates.user, speed), ("rate_item", rates.item, speed), ("rate_context", rates.context, speed),
                ("rate_history", rates.history, speed), ("rate_attribute", rates.attribute, speed), ("rate_weight", rates.weight, weightSpeed),
            ] { settings.append(("model.optimizer.\(key)", plain(min(10, Double(rate) * factor)))) }
            for (key, value, factor) in [
                ("user", l2.user, strength), ("item", l2.item, strength), ("context", l2.context, strength), ("history", l2.history, strength),
                ("attribute", l2.attribute, strength), ("weight", l2.weight, weightStrength),
            ] { settings.append(("model.regularization.\(key)", plain(min(100, Double(value) * factor)))) }
            var name = "rank \(rank), rates \(plain(Double(rates.user) * speed)) and \(plain(Double(rates.weight) * weightSpeed)), "
                + "L2 \(plain(Double(l2.user) * strength)) and \(plain(Double(l2.weight) * weightStrength))"
            if model.negatives > 0, model.unobserved == .sampled {
                settings.append(("model.negatives.count", "\(negatives)"))
                name += ", \(negatives) negatives"
            }
            return Candidate(name: name, settings: settings)
        }
    }

    /// Three significant digits, without an exponent.
    private static func plain(_ value: Double) -> String {
        guard value > 0 else { return "0" }
        return Quantity.fixed(value, min(9, max(0, 2 - Int(floor(log10(value))))))
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
