import ArgumentParser
import StreamTools

/// Which model is to answer, and whether by chance.
struct ChoiceArguments: ParsableArguments {
    @Option(help: "The model that is to answer.")
    var model: String?

    @Option(help: ArgumentHelp("Leave room for chance: epsilon, thompson, or none where the daemon does by default.", valueName: "method"))
    var explore: String?

    @Option(help: "With --explore epsilon: the chance of any item, at each place.")
    var epsilon: Double?

    @Option(help: "With --explore thompson: deviation of the score of a row without updates.")
    var scale: Double?

    @Option(help: "With --explore: equal seeds on an equal state give equal lists.")
    var exploreSeed: UInt64?

    func validate() throws {
        if explore == nil, epsilon != nil || scale != nil || exploreSeed != nil { throw ValidationError("--epsilon, --scale and --explore-seed need --explore") }
    }

    /// As parameters of a request.
    var members: [JSONTree.Member] {
        var members = model.map { [JSONTree.Member(key: "model", value: .string($0))] } ?? []
        guard let explore else { return members }
        var own = [JSONTree.Member(key: "method", value: .string(explore))]
        if let epsilon { own.append(JSONTree.Member(key: "epsilon", value: .number(epsilon))) }
        if let scale { own.append(JSONTree.Member(key: "scale", value: .number(scale))) }
        if let exploreSeed { own.append(JSONTree.Member(key: "seed", value: .integer(Int64(clamping: exploreSeed)))) }
        members.append(JSONTree.Member(key: "explore", value: .object(own)))
        return members
    }
}
