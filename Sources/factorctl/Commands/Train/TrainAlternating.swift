import Alternating
import ArgumentParser
import FactordServer
import Factorization
import LinearAlgebra
import LinuxSystem
import StreamTools

struct TrainAlternating: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "als",
        abstract: "Solves the rows of users and items in closed form, block by block.",
        discussion: """
            For the first model of the configuration: kind mf or bilinear with loss squared (ridge regressions) or logistic (IRLS, for
            labels of both kinds), or unobserved: regularized (implicit feedback with Gram matrices: every pair of the catalogue counts).
            Events enter as user and item; context, attributes and history (model.history.length=0) have no part. All events of a user
            and an item are told to the state, so that seen sets, histories and popularity are a daemon's.

            Examples:
              factorctl train als ml-100k.inter.tsv.gz --type rating --config Deploy/ratings.yaml --out state
              factorctl train als stream.tsv --set model.unobserved=regularized --set model.history.length=0 --out state
            """)

    @OptionGroup var arguments: TrainArguments
    @Option(help: "Passes over all blocks.")
    var passes = 12
    @Option(help: "Strength of L2: on each row; implicit feedback: by a row's share of all weights. 5, implicit 0.003.")
    var ridge: Double?
    @Option(help: "Implicit feedback: weight of a pair as such, against 1 for an interaction.")
    var unobserved = 0.3

    func validate() throws {
        guard passes >= 1, ridge ?? 1 > 0, unobserved > 0 else { throw ValidationError("--passes is at least 1, --ridge and --unobserved are above 0") }
    }

    func run() throws {
        try interruptible {
            BLAS.limitThreads(1)
            try BLAS.check()
            let configuration = try arguments.loaded()
            let settings = configuration.engineSettings
            try check(settings.models[0])
            let told = ToldEvents(try arguments.records(), settings)
            if told.hasFeatures { note("context and attributes are in the state, and have no part in what is solved") }
            var table = ResultTable([
                .init(key: "pass", title: "pass", form: .whole), .init(key: "objective", title: "objective", form: .decimals(2)),
                .init(key: "metric", title: "metric"), .init(key: "value", title: "value", form: .decimals(4)),
                .init(key: "seconds", title: "seconds", form: .decimals(1)),
            ])
            let start = MonotonicClock.nanoseconds
            var solver = try AlternatingSolver(settings.models[0], told.observations, ridge: ridge, unobserved: unobserved)
            for pass in ShownSteps("train als", Array(1...passes), name: { "pass \($0)" }) {
                try Interruption.check()
                try solver.pass(told.observations)
                let fit = solver.fit(told.observations)
                table.add([
                    .integer(Int64(pass)), .number(solver.objective(told.observations)), .string(fit.metric), .number(fit.value),
                    .number(Double(MonotonicClock.nanoseconds - start) / 1e9),
                ])
            }
            solver.write(to: told.engine, told.observations)
            try arguments.write(told.engine, configuration)
            table.show(json: arguments.output.json)
        }
    }

    private func check(_ model: ModelSettings) throws {
        guard model.kind == .mf || model.kind == .bilinear && !model.symmetric else {
            throw ValidationError("model.kind \(model.kind.rawValue)\(model.symmetric ? ", symmetric," : "") has no closed form here; mf and bilinear have")
        }
        guard model.history.length == 0 else {
            throw ValidationError("a model with history as context has no closed form; --set model.history.length=0")
        }
        guard !model.loss.isPairwise else { throw ValidationError("model.loss \(model.loss.rawValue) has no closed form; squared and logistic have") }
        if model.unobserved == .sampled, model.weightFtrl != nil || model.storage == .bfloat16 {
            throw ValidationError("als writes plain rows: leave model.optimizer.weights and model.storage at their defaults")
        }
    }
}
