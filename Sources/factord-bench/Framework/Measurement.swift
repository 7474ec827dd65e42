import StreamTools

/// Values of one quantity over the rounds.
struct Spread {
    let median: Double
    let least: Double
    let most: Double

    /// - Precondition: at least one value.
    init(_ values: [Double]) {
        let sorted = values.sorted()
        let middle = sorted.count / 2
        median = sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
        least = sorted[0]
        most = sorted[sorted.count - 1]
    }
}

/// What came out for one metric of one benchmark.
struct Measurement {
    struct Baseline {
        let name: String
        let value: Spread
        /// Subject divided by baseline, pair by pair: noise that hits both sides of a round cancels.
        let ratio: Spread
    }
    let benchmark: String
    let group: String
    let metric: Metric
    let subject: String
    let rounds: Int
    let value: Spread
    let baselines: [Baseline]
    let notes: [String: Double]
    /// The course of the last round; with a benchmark's first metric only.
    let series: [Series]
}

extension Benchmark {
    /// Measures all sides, side by side in each round, after one round that warms up and does not count. Throws
    /// `StreamToolsError.interrupted` between two sides where somebody asks to stop.
    func run(rounds: Int, progress: (String) -> Void) throws -> [Measurement] {
        progress("\(name): preparing")
        let prepared = try prepare()
        var values = [[[Double]]](repeating: [], count: prepared.sides.count)
        let rounds = isOnce ? 1 : rounds
        for round in (isOnce ? 1 : 0)...rounds {
            progress("\(name): \(round == 0 ? "warming up" : "round \(round) of \(rounds)")")
            // Every other round goes the other way, so that no side always comes after the same one.
            let order = round % 2 == 0 ? Array(prepared.sides.indices) : prepared.sides.indices.reversed()
            for side in order {
                try Interruption.check()
                let measured = try prepared.sides[side].measure()
                precondition(measured.count == metrics.count, "\(name): one value for each metric")
                if round > 0 { values[side].append(measured) }
            }
        }
        return metrics.indices.map { metric in
            let subject = values[0].map { $0[metric] }
            return Measurement(
                benchmark: name, group: group, metric: metrics[metric], subject: prepared.sides[0].name, rounds: rounds,
                value: Spread(subject),
                baselines: prepared.sides.indices.dropFirst().map { side in
                    let other = values[side].map { $0[metric] }
                    return Measurement.Baseline(
                        name: prepared.sides[side].name, value: Spread(other),
                        ratio: Spread(zip(subject, other).map { $1 == 0 ? .nan : $0 / $1 }))
                },
                notes: prepared.notes.merging(prepared.record?.notes ?? [:]) { $1 },
                series: metric == 0 ? prepared.record?.series ?? [] : [])
        }
    }
}
