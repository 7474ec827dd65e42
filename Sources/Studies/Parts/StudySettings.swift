import Factorization
public import LinearAlgebra
public import StreamTools

/// What all studies have in common.
public struct StudySettings: Sendable {
    public var seed: UInt64
    /// Small sizes that take seconds, to see that all works; answers need the full ones.
    public var isQuick: Bool

    public init(seed: UInt64 = 1, isQuick: Bool = false) {
        self.seed = seed
        self.isQuick = isQuick
    }
}

/// Why a study has no result.
public enum StudyError: Error, CustomStringConvertible {
    case algebra(LinearAlgebraError)
    case stream(StreamToolsError)

    public var description: String {
        switch self {
        case .algebra(let error): error.description
        case .stream(let error): error.description
        }
    }
}

/// Runs what may fail in LAPACK.
func algebra<Value>(_ body: () throws(LinearAlgebraError) -> Value) throws(StudyError) -> Value {
    do throws(LinearAlgebraError) { return try body() } catch { throw .algebra(error) }
}

extension RandomSource {
    /// Standard normal (Marsaglia's polar method, one value a draw).
    mutating func gaussian() -> Double {
        while true {
            let a = 2 * unit() - 1, b = 2 * unit() - 1, size = a * a + b * b
            if size > 0 && size < 1 { return a * (-2 * logarithm(size) / size).squareRoot() }
        }
    }

    mutating func gaussian(rows: Int, columns: Int, deviation: Double = 1) -> Matrix {
        var matrix = Matrix(rows: rows, columns: columns)
        for index in matrix.values.indices { matrix.values[index] = deviation * gaussian() }
        return matrix
    }

    /// A symmetric matrix of standard normals with zero diagonal.
    mutating func symmetricGaussian(_ size: Int) -> Matrix {
        var matrix = Matrix(rows: size, columns: size)
        for r in 0..<size {
            for c in 0..<r {
                let value = gaussian()
                matrix[r, c] = value
                matrix[c, r] = value
            }
        }
        return matrix
    }

    /// So many of 0..<count without repetition, in random order.
    mutating func sample(_ size: Int, of count: Int) -> [Int] {
        var all = Array(0..<count)
        for index in 0..<min(size, count - 1) { all.swapAt(index, index + below(count - index)) }
        return Array(all.prefix(size))
    }
}

extension Array where Element == Double {
    var median: Double {
        let sorted = self.sorted()
        guard !sorted.isEmpty else { return .nan }
        return sorted.count % 2 == 1 ? sorted[sorted.count / 2] : (sorted[sorted.count / 2 - 1] + sorted[sorted.count / 2]) / 2
    }
}
