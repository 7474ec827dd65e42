import ArgumentParser
import StreamTools

/// What a list may hold and how it is ordered, by options.
struct RuleArguments: ParsableArguments {
    @Option(help: ArgumentHelp(
        "Only items of which this is true, such as 'brand in [acme, \"b c\"] and price < 50 and not sold_out'.", valueName: "expression"))
    var filter: String?

    @Option(help: ArgumentHelp(
        "Add this to the score of items of which the expression is true, such as '0.5:brand = acme'; can be repeated.",
        valueName: "number:expression"))
    var boost: [String] = []

    @Option(help: ArgumentHelp("At most so many items of one value of the field, such as brand=2; can be repeated.", valueName: "field=number"))
    var cap: [String] = []

    @Option(help: ArgumentHelp("How much likeness to items before it counts against an item, 0 to 1.", valueName: "number"))
    var diversity = 0.0

    @Option(help: ArgumentHelp("Leave out so many items from the front of the list.", valueName: "number"))
    var offset = 0

    @Option(name: .customLong("min-score"), help: ArgumentHelp("Leave out items that score less.", valueName: "number"))
    var minimumScore: Double?

    @Option(parsing: .upToNextOption, help: ArgumentHelp("Rank only these items.", valueName: "items"))
    var candidates: [EventID] = []

    func validate() throws { _ = try rules() }

    func rules() throws -> ListRules {
        var rules = ListRules()
        rules.filter = filter
        rules.boosts = try boost.map { argument in
            let parts = argument.split(separator: ":", maxSplits: 1)
            guard parts.count == 2, let add = Double(parts[0]) else {
                throw ValidationError("--boost \(argument): write NUMBER:EXPRESSION, such as '0.5:brand = acme'")
            }
            return ListRules.Boost(when: String(parts[1]), add: add)
        }
        rules.caps = try cap.map { argument in
            guard let sign = argument.lastIndex(of: "="), sign > argument.startIndex, let limit = Int(argument[argument.index(after: sign)...]) else {
                throw ValidationError("--cap \(argument): write FIELD=NUMBER, such as brand=2")
            }
            return ListRules.Cap(field: String(argument[..<sign]), limit: limit)
        }
        rules.diversity = diversity
        rules.offset = offset
        rules.minimumScore = minimumScore
        rules.candidates = candidates.isEmpty ? nil : candidates
        return rules
    }
}
