public import ArgumentParser
public import StreamTools

/// What `evaluate prequential`, `holdout` and `tune` read, and how they judge.
struct QualityArguments: ParsableArguments {
    @Argument(help: "File of events, as `publish` reads it, or a journal: its directory, or a daemon's state.")
    var file: String

    @Option(help: "time (ties as they stand) or file; a journal has its own.")
    var order = DatasetOrder.time

    @Option(help: "Event type of events that name none, such as rating.")
    var type: String?

    @Option(name: .customLong("where"), help: ArgumentHelp("Only these events: a comparison of the value, or type=NAME.", valueName: "value>=5"))
    var condition: String?

    @Option(help: "Length of the recommended lists; 0 for none, with --sampled 10.")
    var recall = 0
    @Option(help: "Rank each event among so many drawn items, that its user has not touched, and not among all.")
    var sampled: Int?
    @Option(help: "Rank one of so many events.")
    var every = 1
    @Option(help: "Parts of the stream that curves have points for.")
    var parts = 20

    @Option(help: "What is known of users: a file with a line for each.")
    var users: String?
    @Option(help: "What is known of items: a file with a line for each.")
    var items: String?
    @Option(help: ArgumentHelp("Columns of these files, all unless given.", valueName: "age/10,gender,…"))
    var columns: String?
    @Option(help: "How they enter: attributes or context.")
    var side = PrequentialEvaluation.Side.attributes

    func validate() throws {
        if recall < 0 { throw ValidationError("--recall: not negative") }
        if let sampled, sampled < 1 { throw ValidationError("--sampled: at least 1") }
        guard every >= 1, (1...10_000).contains(parts) else { throw ValidationError("--every is at least 1, --parts 1 to 10000") }
        if let condition, EventCondition(condition) == nil {
            throw ValidationError("--where \(condition): write value>=5 (or >, <=, <, =), or type=NAME")
        }
        if side == .context && depth > 0 && items != nil {
            throw ValidationError("--side context: a recommendation has no item whose columns could be its context; use --side attributes")
        }
    }

    /// Length of lists, 0 for none.
    var depth: Int { recall > 0 ? recall : sampled == nil ? 0 : 10 }

    /// Reads everything.
    func evaluation() throws -> PrequentialEvaluation {
        let records = try PrequentialEvaluation.records(
            path: file, options: DatasetOptions(order: order, type: type), where: condition.flatMap(EventCondition.init))
        let chosen = try columns.map { text in
            try text.split(separator: ",").map { name in
                guard let column = SideFeatures.Column(String(name)) else {
                    throw ValidationError("--columns \(name): write a column's name, or name/STEP with a whole STEP above 0")
                }
                return column
            }
        }
        var evaluation = PrequentialEvaluation(
            records: records, users: try users.map { path throws(StreamToolsError) in try SideFeatures(.user, path: path, columns: chosen) },
            items: try items.map { path throws(StreamToolsError) in try SideFeatures(.item, path: path, columns: chosen) }, side: side,
            ranking: depth > 0 ? .init(depth: depth, every: every, others: sampled) : nil)
        evaluation.parts = parts
        return evaluation
    }

    /// Events are judged as they come, or the last ones without learning.
    static let figures = """
        Figures by loss: squared RMSE and MAE, with predictions limited to the labels seen so far; logistic log loss and calibration
        (sum of probabilities over sum of labels, 1 is right; "off" is the mean distance over twenty bins of the predicted); bpr pair
        loss; warp hinge. AUC is the share of sampled negatives below their event, or of zeros below ones where labels are both.
        --recall N asks, before an event, for N recommendations among the items seen so far that its user has not seen: recall is
        how often the event's item is among them, and NDCG, MRR and the share of the catalogue that was ever recommended (coverage)
        follow; "popularity" does the same by counts alone. --sampled 99 ranks the item among 99 drawn ones. --every 10 ranks one
        event in ten.
        """
}

extension PrequentialEvaluation.Side: ExpressibleByArgument {}
