import Factorization

/// Which model answers a request that names none: the experiment's arm of who asks, or else the model that answers by default.
///
/// The arm is a function of the experiment's name and split and of the id alone, so that every process gives the same one, and
/// anybody can compute it:
///
///     h = FNV-1a (64 bits) of the UTF-8 bytes of "NAME:ID", an integer id in decimal
///     h = SplitMix64's finaliser of h: h += 9E3779B97F4A7C15; h = (h ^ h >> 30)·BF58476D1CE4E5B9; h = (h ^ h >> 27)·94D049BB133111EB; h ^= h >> 31
///     p = (h >> 11) / 2^53 · 100
///
/// and then the arms in the order of their names: p below an arm's share is that arm, else p falls by the share and the next is
/// looked at; the last takes what rounding leaves.
struct ModelChoice: Sendable {
    private let engine: Engine
    private let name: [UInt8]
    /// Arms with a share, in the order of their names.
    private let arms: [(model: Int, share: Double)]

    init(_ experiment: Configuration.Experiment, engine: Engine) {
        self.engine = engine
        name = Array(experiment.name.utf8)
        arms = experiment.split.sorted { $0.key < $1.key }.compactMap { name, share in
            guard share > 0, let model = engine.models.firstIndex(where: { $0.settings.name == name }) else { return nil }
            return (model, share)
        }
    }

    /// The model for nobody in particular.
    var standard: Int { engine.answering }

    /// The model for an id. The first model's share is that of whichever answers by default, so that a promotion reaches it.
    func model(for id: Key) -> Int {
        guard arms.count > 0 else { return standard }
        let arm = ModelChoice.arm(of: ModelChoice.place(of: id, name: name), arms.map(\.share))
        return arms[arm].model == 0 ? standard : arms[arm].model
    }

    /// Where an id lies among 100 percent.
    static func place(of id: Key, name: [UInt8]) -> Double {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        func take(_ bytes: some Sequence<UInt8>) { for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 } }
        take(name)
        take(CollectionOfOne(UInt8(ascii: ":")))
        if id.isText { take(id.text) } else { take(String(Int64(bitPattern: id.payload)).utf8) }
        return Double(mix64(hash) >> 11) * 0x1p-53 * 100
    }

    static func arm(of place: Double, _ shares: [Double]) -> Int {
        var rest = place
        for (arm, share) in shares.enumerated() {
            if rest < share { return arm }
            rest -= share
        }
        return shares.count - 1
    }
}
