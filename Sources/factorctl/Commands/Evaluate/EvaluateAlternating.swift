import Alternating
import ArgumentParser
import LinearAlgebra
import LinuxSystem
import StreamTools

struct EvaluateAlternating: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "als",
        abstract: "Solves a file of interactions in closed form, and ranks held-out items: the yardstick without a stream.",
        discussion: """
            Implicit feedback by alternating least squares with the Gram trick: every pair of the catalogue counts, the whole file
            is passed again and again. What `evaluate ranking` reaches in one pass over the stream stands beside this.
            Choose settings on the validation split (--validate), and read the test once.

            Example: factorctl evaluate als stream.tsv --validate --rank 64 --passes 12
            """)

    @OptionGroup var files: LeaveOneOutArguments

    @Option(help: "Length of a factor vector.")
    var rank = 64
    @Option(help: "Passes over users, then items.")
    var passes = 12
    @Option(help: "Weight of a pair as such, against 1 for an interaction.")
    var unobserved = 0.3
    @Option(help: "Strength of L2, by a row's share of all weights.")
    var ridge = 0.003
    @Option(help: "Where first factors come from.")
    var seed: UInt64 = 1

    @OptionGroup var output: OutputOptions

    func validate() throws {
        guard (1...512).contains(rank), passes >= 1 else { throw ValidationError("--rank is 1 to 512, --passes at least 1") }
        guard unobserved > 0, ridge > 0 else { throw ValidationError("--unobserved and --ridge are above 0") }
    }

    func run() throws {
        try interruptible {
            BLAS.limitThreads(1)
            try BLAS.check()
            let (learned, cases) = try files.read()
            var users = Numbering(), items = Numbering()
            let data = Observations(learned.pairs.map { (users.number($0.user), items.number($0.item)) }, users: users.count, items: items.count)
            var model = AlternatingImplicit(
                users: users.count, items: items.count,
                settings: AlternatingImplicit.Settings(rank: rank, unobservedWeight: unobserved, ridge: ridge, seed: seed))
            var table = ResultTable([
                .init(key: "pass", title: "pass", form: .whole), .init(key: "hr10", title: "HR@10", form: .decimals(4)),
                .init(key: "ndcg10", title: "NDCG@10", form: .decimals(4)), .init(key: "objective", title: "objective", form: .decimals(1)),
                .init(key: "seconds", title: "seconds", form: .decimals(1)),
            ])
            let start = MonotonicClock.nanoseconds
            for pass in ShownSteps("evaluate als", Array(1...passes), name: { "pass \($0)" }) {
                try Interruption.check()
                try model.pass(data)
                let seconds = Double(MonotonicClock.nanoseconds - start) / 1e9
                let quality = cases.quality { user, others in
                    model.scores(user: users.known(user), items: others.map { items.known($0) }).map { Float($0) }
                }
                table.add([
                    .integer(Int64(pass)), .number(quality.hitRate), .number(quality.gain), .number(model.objective(data)), .number(seconds),
                ])
            }
            table.show(json: output.json)
        }
    }
}

/// Ids in order of appearance.
private struct Numbering {
    private var numbers: [Int64: Int] = [:]
    var count: Int { numbers.count }

    mutating func number(_ id: Int64) -> Int {
        if let known = numbers[id] { return known }
        numbers[id] = numbers.count
        return numbers.count - 1
    }
    func known(_ id: Int64) -> Int? { numbers[id] }
}
