public import Factorization
import Glibc
public import LinearAlgebra

/// Matrix factorisation of implicit feedback by alternation, with the Gram trick (Hu, Koren and Volinsky 2008): every pair of the
/// catalogue counts, and none of those without an event is visited.
///
/// Minimises Σ_{events} w (⟨p, q⟩ − 1)² + α Σ_{all pairs} ⟨p, q⟩² + λ Σ_u (n_u + α n_items)^ν ‖p‖² + the same of items, n a row's
/// events (Rendle, Krichene, Zhang and Koren 2022).
public struct AlternatingImplicit: Sendable {
    public struct Settings: Sendable {
        public var rank: Int
        /// α: the weight of a pair as such.
        public var unobservedWeight: Double
        /// λ.
        public var ridge: Double
        /// ν: how much more frequent rows are held back; 0 for all alike.
        public var ridgeExponent: Double
        public var seed: UInt64

        public init(rank: Int = 64, unobservedWeight: Double = 0.1, ridge: Double = 0.003, ridgeExponent: Double = 1, seed: UInt64 = 1) {
            self.rank = rank
            self.unobservedWeight = unobservedWeight
            self.ridge = ridge
            self.ridgeExponent = ridgeExponent
            self.seed = seed
        }
    }

    public let settings: Settings
    public private(set) var users: Matrix
    public private(set) var items: Matrix

    public init(users: Int, items: Int, settings: Settings) {
        self.settings = settings
        let first = AlternatingSettings(rank: settings.rank, deviation: 0.1 / Double(settings.rank).squareRoot(), seed: settings.seed)
        self.users = first.firstFactors(group: 0, rows: users)
        self.items = first.firstFactors(group: 1, rows: items)
    }

    /// Scores of items for one user; of nothing for whoever or whatever is not known.
    public func scores(user: Int?, items others: [Int?]) -> [Double] {
        guard let user else { return others.map { _ in 0 } }
        let p = users.row(user)
        return others.map { item in item.map { dot(p, items.row($0)) } ?? 0 }
    }

    /// Solves all users, then all items.
    /// - Parameter data: users and items; labels do not count, weights do.
    public mutating func pass(_ data: Observations) throws(LinearAlgebraError) {
        precondition(data.groups == 2, "implicit feedback is of users and items")
        try solve(0, data)
        try solve(1, data)
    }

    private mutating func solve(_ side: Int, _ data: Observations) throws(LinearAlgebraError) {
        let rank = settings.rank, others = side == 0 ? items : users
        let gram = settings.unobservedWeight * others.transposedTimes(others)
        let rows = (0..<others.rows).map { others.row($0) }
        var equations = NormalEquations(order: rank)
        for feature in 0..<data.sizes[side] {
            let events = data.events(side, feature)
            var theta = [Double](repeating: 0, count: rank)
            if !events.isEmpty {
                equations.reset(to: gram)
                for event in events {
                    let weight = data.weights[event]
                    equations.add(rows[data.features[1 - side][event]], weight: weight, target: weight)
                }
                let ridge = self.ridge(side, events: events.count, others: others.rows)
                theta = try equations.solved(ridge: [Double](repeating: ridge, count: rank))
            }
            for k in 0..<rank {
                if side == 0 { users.values[feature * rank + k] = theta[k] } else { items.values[feature * rank + k] = theta[k] }
            }
        }
    }

    private func ridge(_ side: Int, events: Int, others: Int) -> Double {
        settings.ridge * pow(Double(events) + settings.unobservedWeight * Double(others), settings.ridgeExponent)
    }

    /// What a pass lowers.
    public func objective(_ data: Observations) -> Double {
        let userGram = users.transposedTimes(users), itemGram = items.transposedTimes(items)
        var sum = settings.unobservedWeight * zip(userGram.values, itemGram.values).reduce(0) { $0 + $1.0 * $1.1 }
        for event in 0..<data.count {
            let error = dot(users.row(data.features[0][event]), items.row(data.features[1][event])) - 1
            sum += data.weights[event] * error * error
        }
        for (side, factors) in [users, items].enumerated() {
            for feature in 0..<factors.rows {
                let row = factors.row(feature)
                sum += ridge(side, events: data.events(side, feature).count, others: side == 0 ? items.rows : users.rows) * dot(row, row)
            }
        }
        return sum
    }
}
