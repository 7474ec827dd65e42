import Factorization
import LinearAlgebra
import StreamTools
import Testing

@testable import Studies

/// The computations behind the studies at small size, each checked by something that it was not computed with.
@Suite("Studies: certificates")
struct CertificateTests {
    private func symmetric(_ size: Int, seed: UInt64 = 1) -> Matrix {
        var source = RandomSource(seed: seed)
        return source.symmetricGaussian(size)
    }

    @Test("BLAS and LAPACK compute what plain loops compute")
    func blas() throws {
        BLAS.limitThreads(1)
        try BLAS.check()
    }

    @Test("Every completion reproduces an indefinite matrix off the diagonal", arguments: Completion.allCases, [5, 12, 30])
    func completions(_ completion: Completion, size: Int) throws {
        let matrix = symmetric(size), found = try CompletedFactors(matrix, completion)
        for r in 0..<size {
            for c in 0..<size where c != r {
                let product = (0..<found.rank).reduce(0) { $0 + found.factors[r, $1] * found.factors[c, $1] }
                #expect((product - matrix[r, c]).magnitude < 1e-10)
            }
        }
        switch completion {
        case .dominance: #expect(found.rank == size)
        case .shift: #expect(found.rank == size - 1)
        case .minimumTrace: #expect(found.rank < size && Double(found.rank) >= RepresentabilityStudy.ledermann(size).rounded(.up))
        }
    }

    @Test("The least trace of a matrix whose answer is known")
    func knownTrace() throws {
        // All entries a off the diagonal: M + d I with d = a (n = 3, a > 0: J scaled) is semidefinite of rank 1, trace 3a. For
        // a < 0 the shift −λ_min = 2|a| is optimal by symmetry.
        for (entry, least) in [(0.7, 2.1), (-0.7, 4.2)] {
            var matrix = Matrix(rows: 3, columns: 3)
            for r in 0..<3 { for c in 0..<3 where c != r { matrix[r, c] = entry } }
            let found = try MinimumTrace(matrix, tolerance: 1e-9)
            #expect((found.value - least).magnitude < 1e-6)
            #expect((found.bound - least).magnitude < 1e-6)
        }
    }

    @Test("Weak duality holds, the gap closes, and the diagonal is feasible", arguments: [10, 40])
    func duality(size: Int) throws {
        let matrix = symmetric(size, seed: 4), found = try MinimumTrace(matrix, tolerance: 1e-6)
        #expect(found.bound <= found.value * (1 + 1e-12))
        #expect(found.gap <= 1e-6)
        #expect(try matrix.addingToDiagonal(found.diagonal).symmetricEigenvalues()[0] > -1e-9)
        // A shift is feasible too, and dearer.
        #expect(found.value < -Double(size) * (try matrix.symmetricEigenvalues()[0]))
    }

    @Test("A few sweeps leave an honest gap")
    func openGap() throws {
        let found = try MinimumTrace(symmetric(60), tolerance: 1e-12, sweeps: 3)
        #expect(found.gap > 1e-5 && found.bound < found.value)
    }

    @Test("The nuclear norm without singular values, against them", arguments: [(12, 8), (6, 9)])
    func nuclear(rows: Int, columns: Int) throws {
        var source = RandomSource(seed: 2)
        let block = source.gaussian(rows: rows, columns: columns), norm = try block.singular().values.reduce(0, +)
        let found = try NuclearNorm(block)
        #expect((found.value / norm - 1).magnitude < 1e-3)
        #expect(found.value >= norm * (1 - 1e-9), "no factorisation is below the nuclear norm")
        #expect(found.bound <= norm * (1 + 1e-9) && found.bound >= norm * (1 - 1e-3))
        #expect(found.error < 1e-8)
    }

    @Test("An fm meets data of mixed signs exactly at r₊ + (G − 1) r₋, and not one below", arguments: [2, 3])
    func machineRank(groups: Int) throws {
        let data = GroupedInteractions(groups: groups, features: 7, positive: 1, negative: 2, seed: 5)
        #expect(data.machineRank == 1 + (groups - 1) * 2)
        #expect(data.error(of: try data.explicitMachine()) < 1e-12)
        func least(_ rank: Int) throws -> Double { try data.leastError(signs: [Double](repeating: 1, count: rank), starts: 4, seed: 1) }
        #expect(try least(data.machineRank) < 1e-6)
        #expect(try least(data.machineRank - 1) > 1e-2)
    }

    @Test("A gfm has k of each sign; spare ones serve the other sign")
    func generalizedRank() throws {
        #expect(GroupedInteractions(groups: 3, features: 2, positive: 2, negative: 2, seed: 1).generalizedRank == 2)
        #expect(GroupedInteractions(groups: 3, features: 2, positive: 3, negative: 1, seed: 1).generalizedRank == 3)
        #expect(GroupedInteractions(groups: 2, features: 2, positive: 3, negative: 1, seed: 1).generalizedRank == 2)
        #expect(GroupedInteractions(groups: 3, features: 2, positive: 3, negative: 0, seed: 1).generalizedRank == 2)
        let data = GroupedInteractions(groups: 2, features: 6, positive: 3, negative: 1, seed: 3)
        #expect(try data.leastError(signs: [1, 1, -1, -1], starts: 4, seed: 1) < 1e-6)
        #expect(try data.leastError(signs: [1, -1], starts: 4, seed: 1) > 1e-2)
    }

    @Test("The saturated design has rank n_u n_i, main effects n_u + n_i − 1")
    func designRank() throws {
        for (isSaturated, rank) in [(true, 20), (false, 8)] {
            let values = try IdentifiabilityStudy.design(5, 4, isSaturated: isSaturated).singular().values
            #expect(values.count { $0 > 1e-10 } == rank)
        }
    }
}
