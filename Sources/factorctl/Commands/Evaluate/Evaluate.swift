import ArgumentParser

struct Evaluate: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Judges configurations on files or simulated streams.",
        discussion: """
            Everything but `ranking --daemon` learns in this process, on one thread, what the daemon would learn from the same
            events. Several configurations stand side by side in one table: each --config FILE, or the defaults, with each
            --variant on top; --set holds for all of them.

            Examples:
              factorctl evaluate ranking stream.tsv --validate --variant "model.rank=16" --variant "model.rank=64"
              factorctl evaluate prequential ml-100k.inter.tsv.gz --config Deploy/ratings.yaml --users ml-100k.user.tsv.gz
              factorctl evaluate drift --set model.rank=16
            """,
        subcommands: [
            EvaluateRanking.self, EvaluateAlternating.self, EvaluateFoldIn.self, EvaluateRefinement.self, EvaluatePrequential.self,
            EvaluateHoldout.self, EvaluateTune.self, EvaluateColdStart.self, EvaluateDrift.self, EvaluatePoison.self, EvaluatePromotion.self,
        ],
        defaultSubcommand: EvaluateRanking.self)
}
