/// The interaction regulariser γ Σ_{i∈U, j∈I} ⟨p_i, q_j⟩² and its gradients, without a sum over pairs: everything is in the
/// Gram matrices of the two sides (Hu, Koren, Volinsky 2008; Krichene et al. 2019).
///
/// For a kind whose score is constant + weight + ⟨query, z⟩, the queries and the items' folded vectors z take the places of p
/// and q: the value is γ tr(G_query G_z). Values and gradients are exact; nothing here is shared with the learners, which
/// follow the same formulas on a stream (`GramKeeper`, `InteractionRegularizer`).
public enum InteractionPenalty {
    /// γ tr(G_U G_I) = γ Σ_{i,j} ⟨p_i, q_j⟩².
    public static func value(_ users: Gram, _ items: Gram, strength: Double) -> Double {
        strength * zip(users.matrix.values, items.matrix.values).reduce(0) { $0 + $1.0 * $1.1 }
    }

    /// The gradient of a row that is a vector of its side by itself: 2γ G v, G of the other side.
    public static func gradient(_ row: [Double], against other: Gram, strength: Double) -> [Double] {
        (other.matrix * row).map { 2 * strength * $0 }
    }

    /// The gradient of a row v_a that is a part of many vectors p_u = Σ_a x_ua v_a: 2γ G s_a.
    /// - Parameter sum: s_a = Σ_u x_ua p_u.
    public static func sharedGradient(sum: [Double], against other: Gram, strength: Double) -> [Double] {
        gradient(sum, against: other, strength: strength)
    }

    // MARK: bilinear, Σ (p_iᵀ W q_j)²

    /// γ tr(G_U W G_I Wᵀ).
    public static func bilinear(_ users: Gram, _ w: Matrix, _ items: Gram, strength: Double) -> Double {
        strength * (users.matrix * w * items.matrix * w.transposed).trace
    }

    /// ∂/∂p = 2γ W G_I Wᵀ p. The gradient of an item's row is the same with Wᵀ and G_U.
    public static func bilinearGradient(_ row: [Double], _ w: Matrix, _ items: Gram, strength: Double) -> [Double] {
        (w * (items.matrix * (w.transposed * row))).map { 2 * strength * $0 }
    }

    /// ∂/∂W = 2γ G_U W G_I.
    public static func bilinearGradient(_ users: Gram, _ w: Matrix, _ items: Gram, strength: Double) -> Matrix {
        2 * strength * (users.matrix * w * items.matrix)
    }

    // MARK: gfm, off the diagonal of ½(U Vᵀ + V Uᵀ)

    /// γ Σ_{i≠j} (½⟨u_i, v_j⟩ + ½⟨u_j, v_i⟩)² over all ordered pairs of features
    /// = γ (½[tr(UᵀU·VᵀV) + tr((UᵀV)²)] − Σ_i ⟨u_i, v_i⟩²): of U Vᵀ only the symmetric part acts.
    /// - Parameters: a row of `u` and one of `v` for each feature.
    public static func generalized(_ u: Matrix, _ v: Matrix, strength: Double) -> Double {
        let cross = u.transposed * v
        let all = 0.5 * ((u.transposed * u * (v.transposed * v)).trace + (cross * cross).trace)
        let diagonal = (0..<u.rows).reduce(0.0) { sum, row in
            let own = product(u.row(row), v.row(row))
            return sum + own * own
        }
        return strength * (all - diagonal)
    }

    /// ∂/∂u_i = γ (VᵀV u_i + (UᵀV)ᵀ v_i − 2⟨u_i, v_i⟩ v_i) and ∂/∂v_i = γ (UᵀU v_i + UᵀV u_i − 2⟨u_i, v_i⟩ u_i), for every i.
    public static func generalizedGradient(_ u: Matrix, _ v: Matrix, strength: Double) -> (u: Matrix, v: Matrix) {
        let cross = u.transposed * v, gramU = u.transposed * u, gramV = v.transposed * v
        func gradient(_ own: [Double], _ other: [Double], _ gram: Matrix, _ cross: Matrix) -> [Double] {
            let through = gram * own, across = cross * other, twice = 2 * product(own, other)
            return own.indices.map { strength * (through[$0] + across[$0] - twice * other[$0]) }
        }
        return (
            Matrix((0..<u.rows).map { gradient(u.row($0), v.row($0), gramV, cross.transposed) }),
            Matrix((0..<u.rows).map { gradient(v.row($0), u.row($0), gramU, cross) })
        )
    }

    private static func product(_ a: [Double], _ b: [Double]) -> Double { zip(a, b).reduce(0) { $0 + $1.0 * $1.1 } }
}
