import LinearAlgebra
import LinuxSystem
import StreamTools

/// The questions that the project began with, each answered by a computation that anyone can run again.
public enum Study: String, CaseIterable, Sendable {
    case representability
    case minimumNorm = "minimum-norm"
    case regularizer
    case psdOrNot = "psd-or-not"
    case identifiability
    case alternating

    /// Runs the study on the calling thread. Equal settings give equal figures, but for seconds.
    public func run(_ settings: StudySettings) throws(StudyError) -> StudyReport {
        let start = MonotonicClock.nanoseconds
        BLAS.limitThreads(1)
        try algebra { () throws(LinearAlgebraError) in try BLAS.check() }
        var report = try result(settings)
        report.seconds = Double(MonotonicClock.nanoseconds - start) / 1e9
        return report
    }
    private func result(_ settings: StudySettings) throws(StudyError) -> StudyReport {
        if self == .regularizer { return try RegularizerStudy(settings).run() }
        return try algebra { () throws(LinearAlgebraError) in
            switch self {
            case .representability: try RepresentabilityStudy(settings).run()
            case .minimumNorm: try MinimumNormStudy(settings).run()
            case .psdOrNot: try PsdOrNotStudy(settings).run()
            case .identifiability: try IdentifiabilityStudy(settings).run()
            case .alternating, .regularizer: try AlternatingStudy(settings).run()
            }
        }
    }
}
