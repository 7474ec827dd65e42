import CKernels

/// The interaction regulariser beside sampled negatives, for every kind: each event adds γ_u ½ mean_j ⟨query, z_j⟩² over the
/// catalogue to what its user's side learns from, and items give way to γ_i ½ ⟨query, z⟩² of the events that go by
/// (`GramKeeper`). The catalogue's mean is (1/n) queryᵀ G query, so no pair is visited.
///
/// The user's side takes the gradient (p − (I + aG)⁻¹ p)/η on its query p, with a = η γ_u/n and η the rate of the query. It is
/// the gradient (γ_u/n) G p at the place where a step of rate η ends, so that no strength makes steps overshoot. The kind's
/// `backPropagate` hands it to the rows, and to parameters such as the matrix of `bilinear`.
///
/// Scratch of one learner; a trainer's thread.
final class InteractionRegularizer {
    private let model: Model
    private let kernels: Kernels
    let keeper: GramKeeper
    private let width: Int
    /// The query before the event.
    private let query: UnsafeMutablePointer<Float>
    private let solved: UnsafeMutablePointer<Float>
    /// G times `solved`.
    private let image: UnsafeMutablePointer<Float>
    /// The vectors of the event's items as G knows them, one after the other.
    private let known: UnsafeMutablePointer<Float>
    private var hasQuery = false
    /// Squared residual of a solve relative to the square of the query: the gradient is as exact as the solve.
    private static let enough: Float = 1e-10

    init(model: Model, state: GramState) {
        self.model = model
        kernels = model.kernels
        keeper = GramKeeper(model: model, state: state)
        width = state.width
        query = Parameters.floats(width)
        solved = Parameters.floats(width)
        image = Parameters.floats(width)
        known = Parameters.floats((model.settings.negatives + 1) * width)
    }

    deinit { for vector in [query, solved, image, known] { vector.deallocate() } }

    /// Settles the items of an event, before any of them is scored.
    func begin(_ record: UnsafeMutablePointer<TrainingRecord>, _ ordinals: UnsafePointer<UInt32>, count: Int) {
        hasQuery = false
        for index in 0..<count {
            keeper.settle(ordinals[index], record.pointee.position, record.pointee.catalogue, known: known + index * width)
        }
    }

    /// Adds the user side's gradient on its query.
    /// - Parameters:
    ///   - p: the query, folded; not changed.
    ///   - rate: η of the query.
    func add(to gradient: UnsafeMutablePointer<Float>, query p: UnsafePointer<Float>, rate: Float, catalogue: UInt32) {
        kernels.copy(query, p, width)
        guard keeper.isFinite(query) else { return }
        hasQuery = true
        let strength = rate * model.settings.interaction.user / Float(catalogue)
        guard strength > 0 else { return }
        kernels.copy(solved, query, width)
        keeper.solveItems(solved, strength, enough: InteractionRegularizer.enough)
        guard keeper.isFinite(solved) else { return }
        // (p − p')/η = (γ/n) G p', without the difference of two vectors that are nearly the same.
        kernels.product(image, keeper.state.items, solved, width)
        kernels.add(gradient, image, strength / rate, width)
    }

    /// Lets G and C follow the event, once its items have their steps and bad rows are mended.
    func finish(_ record: UnsafeMutablePointer<TrainingRecord>, _ ordinals: UnsafePointer<UInt32>, count: Int) {
        for index in 0..<count where !hasEarlier(index, ordinals) {
            keeper.follow(ordinals[index], from: known + index * width)
        }
        if hasQuery { keeper.observe(query: query) }
        keeper.sweep(record.pointee.position, record.pointee.catalogue)
    }

    /// Whether an item was drawn before in the same event: it moves once.
    @inline(__always)
    private func hasEarlier(_ index: Int, _ ordinals: UnsafePointer<UInt32>) -> Bool {
        for earlier in 0..<index where ordinals[earlier] == ordinals[index] { return true }
        return false
    }
}
