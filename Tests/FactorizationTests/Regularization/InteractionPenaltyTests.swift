import Testing

@testable import Factorization

/// Values against the sum over all pairs, gradients against central differences of that sum, both in double.
@Suite struct InteractionPenaltyTests {
    private func random(_ rows: Int, _ columns: Int, _ dice: inout Dice) -> Matrix {
        Matrix((0..<rows).map { _ in (0..<columns).map { _ in dice.real() } })
    }

    private func pairs(_ p: Matrix, _ q: Matrix, _ strength: Double) -> Double {
        var sum = 0.0
        for i in 0..<p.rows { for j in 0..<q.rows { sum += dot(p.row(i), q.row(j)) * dot(p.row(i), q.row(j)) } }
        return strength * sum
    }

    /// ∂f/∂M by central differences.
    private func slopes(_ m: Matrix, _ f: (Matrix) -> Double) -> Matrix {
        var result = m
        for index in m.values.indices {
            var up = m, down = m
            up.values[index] += 1e-5
            down.values[index] -= 1e-5
            result.values[index] = (f(up) - f(down)) / 2e-5
        }
        return result
    }

    private func expectNear(_ got: [Double], _ want: [Double], _ tolerance: Double, _ what: Comment) {
        let size = want.reduce(0) { max($0, abs($1)) }
        #expect(size > 1e-3, what)
        for index in want.indices { #expect(abs(got[index] - want[index]) <= tolerance * size, what) }
    }

    @Test(arguments: 0..<5) func singleRows(_ seed: Int) {
        var dice = Dice(seed)
        let p = random(7, 4, &dice), q = random(5, 4, &dice), strength = dice.real(0.1...3)
        let users = Gram(p), items = Gram(q)
        expectNear([InteractionPenalty.value(users, items, strength: strength)], [pairs(p, q, strength)], 1e-12, "value")
        let byUser = slopes(p) { pairs($0, q, strength) }, byItem = slopes(q) { pairs(p, $0, strength) }
        for i in 0..<p.rows {
            expectNear(InteractionPenalty.gradient(p.row(i), against: items, strength: strength), byUser.row(i), 1e-6, "user \(i)")
        }
        for j in 0..<q.rows {
            expectNear(InteractionPenalty.gradient(q.row(j), against: users, strength: strength), byItem.row(j), 1e-6, "item \(j)")
        }
        // A row that moves takes G along.
        var moved = p
        for f in 0..<4 { moved[2, f] += dice.real() }
        var gram = users
        gram.move(p.row(2), to: moved.row(2))
        expectNear(gram.matrix.values, Gram(moved).matrix.values, 1e-12, "G after a move")
        gram.add(q.row(0))
        expectNear(gram.matrix.values, Gram(Matrix((0..<7).map(moved.row) + [q.row(0)])).matrix.values, 1e-12, "G after a row joined")
    }

    /// p_u = Σ_a x_ua v_a.
    @Test(arguments: 0..<5) func sumsOfRows(_ seed: Int) {
        var dice = Dice(seed)
        let x = random(8, 3, &dice), v = random(3, 4, &dice), q = random(6, 4, &dice)
        let users = Gram(x * v), items = Gram(q)
        let want = slopes(v) { pairs(x * $0, q, 0.7) }
        for a in 0..<v.rows {
            var sum = [0.0, 0, 0, 0], count = 0.0
            for u in 0..<x.rows {
                for f in 0..<4 { sum[f] += x[u, a] * (x * v)[u, f] }
                count += x[u, a] * x[u, a]
            }
            expectNear(InteractionPenalty.sharedGradient(sum: sum, against: items, strength: 0.7), want.row(a), 1e-6, "row \(a)")
            let d = (0..<4).map { _ in dice.real() }
            var moved = v, gram = users
            for f in 0..<4 { moved[a, f] += d[f] }
            gram.moveShared(by: d, sum: sum, count: count)
            expectNear(gram.matrix.values, Gram(x * moved).matrix.values, 1e-12, "G after row \(a) moved")
        }
    }

    @Test(arguments: 0..<5) func bilinear(_ seed: Int) {
        var dice = Dice(seed)
        let p = random(6, 3, &dice), q = random(7, 3, &dice), w = random(3, 3, &dice)
        func explicit(_ p: Matrix, _ w: Matrix, _ q: Matrix) -> Double { pairs(p * w, q, 1.3) }
        let users = Gram(p), items = Gram(q)
        expectNear([InteractionPenalty.bilinear(users, w, items, strength: 1.3)], [explicit(p, w, q)], 1e-12, "value")
        let byUser = slopes(p) { explicit($0, w, q) }, byItem = slopes(q) { explicit(p, w, $0) }
        for i in 0..<p.rows {
            expectNear(InteractionPenalty.bilinearGradient(p.row(i), w, items, strength: 1.3), byUser.row(i), 1e-6, "user \(i)")
        }
        for j in 0..<q.rows {
            expectNear(InteractionPenalty.bilinearGradient(q.row(j), w.transposed, users, strength: 1.3), byItem.row(j), 1e-6, "item \(j)")
        }
        let byW: Matrix = InteractionPenalty.bilinearGradient(users, w, items, strength: 1.3)
        expectNear(byW.values, slopes(w) { explicit(p, $0, q) }.values, 1e-6, "W")
    }

    @Test(arguments: 0..<5) func generalized(_ seed: Int) {
        var dice = Dice(seed)
        let u = random(6, 3, &dice), v = random(6, 3, &dice)
        func explicit(_ u: Matrix, _ v: Matrix) -> Double {
            var sum = 0.0
            for i in 0..<u.rows {
                for j in 0..<u.rows where j != i {
                    let score = (dot(u.row(i), v.row(j)) + dot(u.row(j), v.row(i))) / 2
                    sum += score * score
                }
            }
            return 0.9 * sum
        }
        expectNear([InteractionPenalty.generalized(u, v, strength: 0.9)], [explicit(u, v)], 1e-12, "value")
        let got = InteractionPenalty.generalizedGradient(u, v, strength: 0.9)
        expectNear(got.u.values, slopes(u) { explicit($0, v) }.values, 1e-6, "u")
        expectNear(got.v.values, slopes(v) { explicit(u, $0) }.values, 1e-6, "v")
        // The antisymmetric part of U Vᵀ says nothing: (U, V) and (V, U) cost the same.
        expectNear([InteractionPenalty.generalized(v, u, strength: 0.9)], [explicit(u, v)], 1e-12, "exchanged")
    }
}
