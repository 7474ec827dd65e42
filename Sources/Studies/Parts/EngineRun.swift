import Alternating
import FactordServer
import Factorization
import LinuxSystem
import StreamTools

/// The product's own engine, fed as a stream feeds the daemon, over events of known users and items: what `sgd` means in the
/// studies.
final class EngineRun {
    let engine: Engine
    private let feed: OfflineFeed
    private let scorer: Scorer
    private let data: Observations
    private var source: RandomSource
    /// Of processor time in messages' encoding, decoding, ids and steps.
    private(set) var seconds = 0.0

    /// - Parameters:
    ///   - data: events of users and items; labels are taught as they stand.
    ///   - model: with the defaults of a configuration for what it does not say.
    init(_ data: Observations, model: Configuration.Model, seed: UInt64) {
        var configuration = Configuration(), model = model
        model.seed = seed
        configuration.models = [model]
        var settings = configuration.engineSettings
        settings.trainers = 1
        settings.otherEvents = TypeRule(label: .value)
        engine = Engine(settings: settings)
        feed = OfflineFeed(engine)
        scorer = Scorer(engine: engine)
        self.data = data
        source = RandomSource(seed: seed &+ 0x5eed)
    }

    /// Learns every event once, in an order drawn anew.
    func pass() {
        let order = source.sample(data.count, of: data.count), start = ProcessorClock.threadNanoseconds
        for event in order {
            feed.append(
                DatasetEvent(
                    user: .integer(Int64(data.features[0][event])), item: .integer(Int64(data.features[1][event])), value: Float(data.labels[event])))
        }
        feed.flush()
        seconds += Double(ProcessorClock.threadNanoseconds - start) / 1e9
    }

    /// All scores, users × items.
    var scores: Matrix {
        let hashing = engine.hashing
        var all = Matrix(rows: data.sizes[0], columns: data.sizes[1])
        scorer.reading {
            let items = (0..<data.sizes[1]).map { engine.items.find(Key(integer: Int64($0), hashing: hashing)) }
            for user in 0..<data.sizes[0] {
                let row = scorer.score(user: engine.users.find(Key(integer: Int64(user), hashing: hashing)), items: items)
                for item in row.indices { all.values[user * all.columns + item] = Double(row[item]) }
            }
        }
        return all
    }
}

extension Observations {
    /// Mean loss of scores, users × items, over the events.
    func meanLoss(_ scores: Matrix, _ loss: AlternatingLoss) -> Double {
        var sum = 0.0
        for event in 0..<count {
            let score = scores[features[0][event], features[1][event]], label = labels[event]
            sum += loss == .squared ? (score - label) * (score - label) : logistic(score, label)
        }
        return sum / Double(Swift.max(count, 1))
    }

    private func logistic(_ score: Double, _ label: Double) -> Double {
        // Past 40 the one in ln(1 + e^s) is nothing in double precision.
        let size = score.magnitude
        return Swift.max(score, 0) - label * score + (size > 40 ? 0 : -logarithm(sigmoid(size)))
    }
}
