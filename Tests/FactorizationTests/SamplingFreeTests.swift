import CKernels
import Synchronization
import Testing

@testable import Factorization

/// Learning without negatives: the matrix kernels, one event against the recipe in double, Gram matrices that stay exact,
/// and a state that goes on where it was saved.
@Suite struct SamplingFreeTests {
    private func settings(rank: Int = 10, history: Int = 0) -> ModelSettings {
        ModelSettings(
            rank: rank, optimizer: .sgd,
            rates: .init(user: 0.3, item: 0.2, context: 0.1, weight: 0, history: 0.1), l2: .init(user: 0.001, item: 0.002, context: 0, weight: 0),
            negatives: 0, unobserved: .regularized, interaction: .init(user: 4, item: 2), history: .init(length: history))
    }

    private func events(_ count: Int, users: Int64 = 30, items: Int64 = 40, seed: UInt64) -> [TestEvent] {
        (0..<count).map { n in
            let word = mix64(mix64(seed) &+ UInt64(n))
            let user = Int64(word % UInt64(users)), place = Int64(word >> 32) % (items / 5)
            // Users like the items of their own remainder: something to learn.
            let item = place * 5 + user % 5
            return TestEvent(user: user, item: item)
        }
    }

    @Test func solveMeetsTheLinearSystem() {
        for variant in Kernels.Variant.allCases {
            guard let kernels = Kernels(variant) else { continue }
            for width in [8, 16, 32, 64, 72] {
                var random = (0..<(width * width)).map { (n: Int) -> Float in Float(Int64(bitPattern: mix64(UInt64(n + width))) >> 40) / 8_388_608 }
                var matrix = [Float](repeating: 0, count: width * width)
                for row in 0..<4 {
                    random.withUnsafeMutableBufferPointer { kernels.rankOne(&matrix, 1, $0.baseAddress! + row * width, 1, width) }
                }
                let right = Array(random[0..<width])
                var x = right, scratch = [Float](repeating: 0, count: 3 * width), product = x
                kernels.solve(&x, matrix, 0.7, 6, 1e-6, &scratch, width)
                kernels.product(&product, matrix, x, width)
                var residual: Float = 0, size: Float = 0
                for f in 0..<width {
                    let rest = x[f] + 0.7 * product[f] - right[f]
                    residual += rest * rest
                    size += right[f] * right[f]
                }
                #expect(residual <= 2e-6 * size, "\(variant) width \(width)")
            }
        }
    }

    /// (I + a M)⁻¹ b in double, by elimination.
    private func solve(_ m: [[Double]], _ a: Double, _ b: [Double]) -> [Double] {
        let n = b.count
        var rows = (0..<n).map { r in (0..<n).map { (r == $0 ? 1 : 0) + a * m[r][$0] } + [b[r]] }
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

    private func vector(_ row: UnsafePointer<Float>, _ rank: Int) -> [Double] { (0..<rank).map { Double(row[$0]) } }
    private func matrix(_ m: UnsafePointer<Float>, _ width: Int, _ rank: Int) -> [[Double]] {
        (0..<rank).map { r in (0..<rank).map { Double(m[r * width + $0]) } }
    }

    @Test func oneEventFollowsTheRecipe() {
        let settings = settings(), rank = settings.rank
        let engine = Engine(settings: EngineSettings(models: [settings], queueCapacity: 64))
        engine.learn(events(2000, seed: 3))
        let model = engine.models[0], state = model.grams!
        for event in events(200, seed: 77) {
            let user = engine.user(event.user), item = engine.item(event.item), n = Double(engine.items.count)
            var q = vector(model.items.factors(item), rank), p = vector(model.users.factors(user), rank)
            let gram = matrix(state.items, state.width, rank), mean = matrix(state.queries, state.width, rank)
            let position = engine.sequencer.lastPosition + 1
            let slept = Double(position - state.settledAt(item).pointee.load(ordering: .relaxed))
            let old = q
            q = solve(mean, 0.2 * 2 * slept / n, q)
            // G follows once, at the end.
            let start = p
            p = solve(gram, 0.3 * 4 / n, p)
            let e = (dot(p, q) - 1) / (1 + 0.2 * dot(p, p) + 0.3 * dot(q, q))
            var expectedUser = p, expectedItem = q
            for f in 0..<rank {
                expectedUser[f] -= 0.3 * (e * q[f] + 0.001 * start[f])
                expectedItem[f] -= 0.2 * (e * p[f] + 0.002 * q[f])
            }
            engine.learn([event])
            let gotUser = vector(model.users.factors(user), rank), gotItem = vector(model.items.factors(item), rank)
            for f in 0..<rank {
                // The solves stop at a relative residual of 1e-3.
                #expect(abs(gotUser[f] - expectedUser[f]) <= 3e-3 * dot(start, start).squareRoot() + 1e-6)
                #expect(abs(gotItem[f] - expectedItem[f]) <= 3e-3 * dot(old, old).squareRoot() + 1e-6)
            }
        }
    }

    @Test func gramStaysExact() {
        let engine = Engine(settings: EngineSettings(models: [settings(history: 5)], queueCapacity: 64))
        let model = engine.models[0], state = model.grams!, width = state.width
        for round in 0..<5 {
            engine.learn(events(1500, seed: UInt64(round)))
            var exact = [Float](repeating: 0, count: width * width)
            for item in 0..<UInt32(engine.items.count) where state.settledAt(item).pointee.load(ordering: .relaxed) != 0 {
                model.kernels.rankOne(&exact, 1, model.items.factors(item), 1, width)
            }
            let size = exact.reduce(0) { $0 + $1 * $1 }.squareRoot()
            var square: Float = 0
            for index in 0..<(width * width) { square += (exact[index] - state.items[index]) * (exact[index] - state.items[index]) }
            let error = square.squareRoot()
            #expect(error <= 1e-5 * size, "round \(round): \(error) of \(size)")
        }
    }

    @Test func learnsWhatUsersLikeWithoutNegatives() {
        let engine = Engine(settings: EngineSettings(models: [settings(rank: 8)], queueCapacity: 64))
        engine.learn(events(20_000, seed: 5))
        let scorer = Scorer(engine: engine)
        for user in 0..<Int64(30) {
            let query = RecommendQuery(user: engine.user(user), count: 5, excludesSeen: false)
            let liked = scorer.recommend(query).items.filter {
                Int64(bitPattern: engine.items.key($0.item, hashing: engine.hashing).payload) % 5 == user % 5
            }
            #expect(liked.count == 5, "user \(user)")
        }
    }

    @Test func aSavedStateGoesOnBitForBit() throws {
        let settings = EngineSettings(models: [settings(history: 5)], queueCapacity: 64)
        let whole = Engine(settings: settings), first = Engine(settings: settings), second = Engine(settings: settings)
        let all = events(3000, seed: 9)
        whole.learn(all)
        first.learn(Array(all[..<1300]))
        try second.restore(from: MemoryState(first))
        second.learn(Array(all[1300...]))
        #expect(MemoryState(second).differences(MemoryState(whole)) == [])
    }
}
