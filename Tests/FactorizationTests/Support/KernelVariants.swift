import Testing

@testable import Factorization

/// Tests run with what this processor has; `ProcessorTests` names what it lacks.
extension Kernels.Variant {
    static let present = allCases.filter { Kernels($0) != nil }
}

/// Which instruction sets the other tests ran with.
@Suite struct ProcessorTests {
    private static let missing =
        Kernels.Variant.allCases.filter { Kernels($0) == nil }.map { "row kernels \($0)" }
        + Scans.Variant.allCases.filter { Scans($0) == nil }.map { "scan \($0)" }

    /// Skipped, and so to be seen in what a run prints, where tests of some instruction set did not run.
    @Test(.enabled(if: missing.isEmpty, "not on this processor, and so untested: \(missing.joined(separator: ", "))"))
    func hasEveryInstructionSet() {
        #expect(Kernels.Variant.present == Kernels.Variant.allCases)
    }

    @Test func thePortableOnesAreAlwaysThere() {
        #expect(Kernels.Variant.present.first == .portable && Kernels.Variant.present.contains(Kernels.best.variant))
    }
}
