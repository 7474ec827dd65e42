import ArgumentParser
import LinuxSystem
import StreamTools
import Studies

/// What `factorctl study` may be asked for.
enum StudyChoice: String, ExpressibleByArgument, CaseIterable {
    case representability
    case minimumNorm = "minimum-norm"
    case regularizer
    case psdOrNot = "psd-or-not"
    case identifiability
    case alternating
    case all

    var studies: [Study] { Study(rawValue: rawValue).map { [$0] } ?? Study.allCases }
}

struct StudyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "study",
        abstract: "Answers a question about factorisation machines by computing it.",
        discussion: """
            representability  which interactions an FM can hold, and with which rank
            minimum-norm      which completion of the diagonal has the smallest factors, certified by duality
            regularizer       L2 against the regulariser of all interactions, and against sampled negatives
            psd-or-not        what fm loses against gfm and bilinear: rank, never reach
            identifiability   what can be learned, from how many events, up to which transformations
            alternating       stochastic gradient against alternating regressions on the bilinear model
            all               all of them, in one report

            Each prints its tables, certificates and answer, and writes a report with plots, report.html and one SVG a plot, into
            --out. The exit status is 1 where a certificate does not hold. Equal seeds give equal figures (but for seconds).

            Examples:
              factorctl study psd-or-not
              factorctl study all --out studies
            """)

    @Argument(help: "Which study.")
    var study: StudyChoice

    @Option(help: "Where random matrices and truths come from.")
    var seed: UInt64 = 1

    @Option(help: ArgumentHelp("Directory for report and plots; made where it is missing.", valueName: "directory"))
    var out = "factord-studies"

    @Flag(help: "Small sizes that take seconds, to see that all works; certificates and answers are meant for the full ones.")
    var quick = false

    @OptionGroup var output: OutputOptions

    func run() throws {
        _ = try Directory.create(out, permissions: 0o755)
        var reports: [StudyReport] = []
        var progress = StepProgress(label: "study", steps: study.studies.count)
        for study in study.studies {
            progress.begin(study.rawValue)
            let report = try study.run(StudySettings(seed: seed, isQuick: quick))
            var files: [String] = []
            for (index, plot) in report.plots.enumerated() {
                files.append("\(out)/\(report.name)-\(index + 1).svg")
                try TextFile.write(plot.svg(), to: files[index])
            }
            progress.finish()
            say(output.json ? report.json.json : report.rendered(plotFiles: files))
            reports.append(report)
            // As far as it goes: a later study may be stopped.
            try TextFile.write(StudyReport.page(reports, facts: facts), to: "\(out)/report.html")
        }
        note("Report: \(out)/report.html")
        if !reports.allSatisfy(\.holds) { throw ExitCode(1) }
    }

    private var facts: [String] {
        [
            "Written by factorctl study \(study.rawValue) --seed \(seed)\(quick ? " --quick" : "").",
            "Figures follow from the seed; matrices by OpenBLAS and LAPACK on one thread, sgd and adagrad by the daemon's own engine.",
        ]
    }
}
