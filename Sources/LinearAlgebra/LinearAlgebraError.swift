/// Why a computation on matrices gave no result. Each case names the routine's part and what to do.
public enum LinearAlgebraError: Error, Equatable, CustomStringConvertible {
    /// A matrix that must be positive definite is not: the leading minor of this order is not positive.
    case notPositiveDefinite(order: Int)
    /// An iteration within LAPACK did not converge; as a rule the matrix holds values that are not finite.
    case noConvergence(routine: String)
    /// BLAS gives wrong results on this processor: a residual that should be rounding is not.
    case wrongResults(routine: String, error: Double)

    public var description: String {
        switch self {
        case .notPositiveDefinite(let order):
            "the matrix is not positive definite (leading minor \(order)); add to its diagonal, or raise the regularisation"
        case .noConvergence(let routine): "\(routine) did not converge: does the matrix hold values that are not finite?"
        case .wrongResults(let routine, let error):
            "\(routine) is off by \(error): this build of OpenBLAS does not know the processor; set OPENBLAS_CORETYPE=Haswell and start again"
        }
    }
}
