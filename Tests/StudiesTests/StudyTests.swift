import StreamTools
import Testing

@testable import Studies

/// Every study from end to end at small size.
@Suite("Studies: reports")
struct StudyTests {
    /// Figures that are no times.
    private func figures(_ report: StudyReport) -> [[StudyTable.Cell]] { report.tables.filter { !$0.header.contains { $0.contains("second") } }.flatMap(\.rows) }

    @Test("Each study has tables, plots, an answer and an origin, and its certificates hold", arguments: Study.allCases)
    func reports(_ study: Study) throws {
        let report = try study.run(StudySettings(seed: 1, isQuick: true))
        #expect(report.name == study.rawValue)
        #expect(!report.tables.isEmpty && report.tables.allSatisfy { !$0.rows.isEmpty })
        #expect(!report.plots.isEmpty && !report.answer.isEmpty && !report.origin.isEmpty)
        for certificate in report.certificates { #expect(certificate.holds, "\(certificate)") }
        let page = StudyReport.page([report], facts: ["a < b"])
        #expect(page.contains("<svg") && page.contains("a &lt; b") && !page.contains("http-equiv") && !page.contains("src="))
    }

    @Test("Equal seeds give equal figures", arguments: [Study.representability, .minimumNorm])
    func seeds(_ study: Study) throws {
        let settings = StudySettings(seed: 7, isQuick: true)
        #expect(try figures(study.run(settings)) == figures(study.run(settings)))
        #expect(try figures(study.run(settings)) != figures(study.run(StudySettings(seed: 8, isQuick: true))))
    }

    @Test("A certificate that is not a number does not hold")
    func certificates() {
        #expect(!StudyReport.Certificate("x", .nan, atMost: 1).holds)
        #expect(!StudyReport.Certificate("x", .nan, atLeast: 1).holds)
        #expect(StudyReport.Certificate("x", 1, atMost: 1).holds)
    }
}
