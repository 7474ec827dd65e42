import CKernels
import Synchronization

@testable import Factorization

/// What the tests of the interaction regulariser share: kinds with the regulariser on, streams, and G in double.
struct InteractionCase {
    let engine: Engine
    var model: Model { engine.models[0] }
    var grams: GramState { model.grams! }

    init(_ settings: ModelSettings, trainers: Int = 1) {
        engine = Engine(settings: EngineSettings(models: [settings], trainers: trainers, queueCapacity: 64, historyLength: 8))
    }

    /// Settings under which nothing but the regulariser moves a row whose event weighs next to nothing.
    static func settings(
        _ kind: KindCase, _ optimizer: ModelSettings.Optimizer = .sgd, history: Int = 4, negatives: Int = 0, user: Float = 0, item: Float = 0
    ) -> ModelSettings {
        var settings = kind.settings(optimizer, history: history, negatives: negatives)
        settings.l2 = .init(user: 0, item: 0, context: 0, weight: 0)
        settings.interaction = .init(user: user, item: item)
        settings.deviation = 0.5
        return settings
    }

    /// A weight that leaves no trace of an event's own loss.
    static let nothing: Float = 1e-20

    static func events(_ count: Int, context: Int = 3, weight: Float = 1, from first: Int = 0) -> [TestEvent] {
        (first..<first + count).map { n in
            let word = mix64(UInt64(n)), number = Int64(n)
            return TestEvent(
                user: Int64(word % 4), item: Int64((word >> 8) % 12), value: Float(1 + n % 3) / 2, weight: weight,
                context: (0..<context).map { TestFeature(field: "f\($0)", value: (number >> (2 * $0)) % 4, weight: 0.7) })
        }
    }

    func context(_ event: TestEvent) -> [(ordinal: UInt32, weight: Float, name: String)] {
        event.context.map { (engine.context($0), $0.weight, $0.field) }
    }

    /// The user's side of an event, folded.
    private func side(_ event: TestEvent) -> UserSide {
        let side = UserSide(model: model)
        side.start(user: engine.user(event.user), userItems: engine.shared.userItems)
        for feature in event.context { side.append(ResolvedFeature(ordinal: engine.context(feature), weight: feature.weight)) }
        _ = side.fold()
        return side
    }

    /// The query of an event, and its rate.
    func query(_ event: TestEvent) -> (p: [Double], rate: Double) {
        let side = side(event), rates = model.settings.rates
        var rows: Float = 0
        for index in 0..<side.rowCount { rows += rates[side.rows[index].group] * side.rows[index].x * side.rows[index].x }
        return withExtendedLifetime(side) { (vector(side.query), Double(Kinds.queryRate(side, rows: rows))) }
    }

    func vector(_ floats: UnsafePointer<Float>) -> [Double] { (0..<model.layout.itemRank).map { Double(floats[$0]) } }

    /// One of the matrices without its padding.
    func matrix(_ floats: UnsafePointer<Float>) -> Matrix {
        let rank = model.layout.itemRank
        return Matrix((0..<rank).map { r in (0..<rank).map { Double(floats[r * grams.width + $0]) } })
    }

    func z(_ item: UInt32) -> [Double] {
        let z = Parameters.floats(model.width)
        defer { z.deallocate() }
        ItemSide.vector(model, item, into: z)
        return vector(z)
    }

    /// ‖G − Σ z zᵀ‖ / ‖Σ z zᵀ‖ over the items that were visited.
    var gramError: Double {
        var exact = Gram(rank: model.layout.itemRank)
        for item in 0..<UInt32(engine.items.count) where grams.settledAt(item).pointee.load(ordering: .relaxed) != 0 { exact.add(z(item)) }
        let got = matrix(grams.items).values, want = exact.matrix.values
        let size = dot(want, want).squareRoot()
        return zip(got, want).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }.squareRoot() / size
    }

    /// (I + a M)⁻¹ b, by elimination.
    static func solve(_ m: Matrix, _ a: Double, _ b: [Double]) -> [Double] {
        let n = b.count
        var rows = (0..<n).map { r in (0..<n).map { (r == $0 ? 1 : 0) + a * m[r, $0] } + [b[r]] }
        for pivot in 0..<n {
            for r in (pivot + 1)..<n {
                let factor = rows[r][pivot] / rows[pivot][pivot]
                for c in pivot...n { rows[r][c] -= factor * rows[pivot][c] }
            }
        }
        var x = [Double](repeating: 0, count: n)
        for r in stride(from: n - 1, through: 0, by: -1) {
            x[r] = (rows[r][n] - ((r + 1)..<n).reduce(0) { $0 + rows[r][$1] * x[$1] }) / rows[r][r]
        }
        return x
    }
}
