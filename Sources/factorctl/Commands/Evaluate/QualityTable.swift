import Factorization
import StreamTools

/// Results of configurations side by side: a table for all, one by event type, curves over the stream.
struct QualityTable {
    struct Line {
        var name: String
        var result: PrequentialEvaluation.Result
    }

    var lines: [Line] = []
    /// Length of lists.
    let depth: Int

    /// Evaluates the configurations in one pass.
    init(_ evaluation: PrequentialEvaluation, _ configurations: [ConfigurationArguments.Named]) {
        depth = evaluation.ranking?.depth ?? 0
        var bar = ProgressBar(label: "evaluated")
        let all = evaluation.run(configurations.map(\.settings)) { place, count in bar.update(done: place, fraction: Double(place) / Double(max(count, 1))) }
        bar.giveWay()
        for (configuration, results) in zip(configurations, all) {
            for result in results { lines.append(Line(name: ConfigurationArguments.label(configuration, model: result.model), result: result)) }
        }
        if let ranking = evaluation.ranking, ranking.others == nil { lines.append(Line(name: "popularity", result: evaluation.popularity())) }
    }

    // MARK: Tables

    private var figures: [ResultTable.Figure] {
        [
            .init(key: "model", title: "model"), .init(key: "type", title: "type"), .init(key: "events", title: "events", form: .whole),
            .init(key: "metric", title: "metric"), .init(key: "value", title: "value", form: .decimals(4)),
            .init(key: "recent", title: "recent", form: .decimals(4)), .init(key: "window", title: "window", form: .decimals(4)),
            .init(key: "mae", title: "MAE", form: .decimals(4)), .init(key: "auc", title: "AUC", form: .decimals(4)),
            .init(key: "calibration", title: "calibration", form: .decimals(3)),
            .init(key: "calibration_error", title: "off", form: .decimals(4)),
            .init(key: "recall", title: "recall@\(depth)", form: .decimals(4)), .init(key: "ndcg", title: "NDCG@\(depth)", form: .decimals(4)),
            .init(key: "mrr", title: "MRR@\(depth)", form: .decimals(4)), .init(key: "coverage", title: "coverage", form: .percent),
            .init(key: "drift_alarms", title: "alarms", form: .whole), .init(key: "events_per_second", title: "events/s", form: .whole),
        ]
    }

    /// The cells of one line: of all events, or of one type.
    private func cells(_ line: Line, _ part: QualityPart, type: String? = nil) -> [JSONTree] {
        let result = line.result, predictions = part.predictions, ranking = part.ranking
        let metric = predictions.figures.first, report = type == nil ? result.report : nil
        func figure(_ name: String) -> JSONTree { JSONTree(optional: predictions[name]) }
        func ranked(_ value: Double) -> JSONTree { ranking.cases > 0 ? .number(value) : .null }
        let isHeldOut = report.map { $0.events != predictions.events } ?? false
        return [
            .string(line.name), type.map { .string($0.isEmpty ? "–" : $0) } ?? .null,
            predictions.events > 0 ? .integer(Int64(predictions.events)) : .null, metric.map { .string($0.name) } ?? .null,
            JSONTree(optional: metric?.value), isHeldOut ? .null : JSONTree(optional: report?.recent),
            isHeldOut ? .null : JSONTree(optional: report?.measures.first?.window), figure("mae"), figure("auc"), figure("calibration"),
            figure("calibration_error"), ranked(ranking.hitRate), ranked(ranking.gain), ranked(ranking.reciprocalRank),
            type == nil ? JSONTree(optional: result.quality?.coverage) : .null, type == nil ? JSONTree(optional: result.drift?.alarms) : .null,
            type == nil ? .number(result.eventsPerSecond) : .null,
        ]
    }

    func show(json: Bool) {
        defer { noteLabels() }
        if json { return lines.forEach { say(tree($0).json) } }
        var table = ResultTable(figures), typed = ResultTable(figures), hasTypes = false
        for line in lines {
            guard let quality = line.result.quality else { continue }
            table.add(cells(line, quality.all))
            for (type, part) in quality.types.sorted(by: { $0.key < $1.key }) where quality.types.count > 1 {
                typed.add(cells(line, part, type: type))
                hasTypes = true
            }
        }
        table.show(json: false)
        if hasTypes {
            say("\nBy event type")
            typed.show(json: false)
        }
    }

    /// A log loss below zero is none: what was learned are no clicks.
    private func noteLabels() {
        guard let line = lines.first(where: { ($0.result.quality?.all.predictions["log_loss"] ?? 0) < 0 }) else { return }
        note("""
            \(line.name): labels outside of 0 to 1, which the logistic loss cannot learn. For ratings --set model.loss=squared (or \
            Deploy/ratings.yaml); where each event is a click --set 'events.*.label=1'.
            """)
    }

    // MARK: For machines

    private func tree(_ line: Line) -> JSONTree {
        guard let quality = line.result.quality else { return .null }
        func members(_ cells: [JSONTree]) -> [JSONTree.Member] {
            zip(figures, cells).filter { $1 != .null }.map { JSONTree.Member(key: $0.key, value: $1) }
        }
        var all = members(cells(line, quality.all))
        if let report = line.result.report {
            all.append(.init(key: "live", value: .array(report.measures.map {
                ["metric": .string($0.name), "value": .number($0.value), "recent": .number($0.recent), "window": .number($0.window)]
            })))
        }
        if quality.types.count > 1 {
            all.append(.init(key: "types", value: .array(quality.types.sorted { $0.key < $1.key }.map { .object(members(cells(line, $1, type: $0)).filter { $0.key != "model" }) })))
        }
        if quality.parts.count > 1 {
            all.append(.init(key: "parts", value: .array(quality.parts.map { .object(members(cells(line, $0, type: "")).filter { !["model", "type"].contains($0.key) }) })))
        }
        let bins = quality.all.predictions.bins.filter { $0.count > 0 }
        if !bins.isEmpty {
            all.append(.init(key: "bins", value: .array(bins.map {
                ["items": .number($0.count), "predicted": .number($0.predicted / $0.count), "observed": .number($0.observed / $0.count)]
            })))
        }
        return .object(all)
    }

    // MARK: Plots

    /// Curves of every figure that any line has over the parts of the stream, and of calibration.
    var plots: [(name: String, plot: LinePlot)] {
        var plots: [(String, LinePlot)] = []
        let kinds = [("rmse", "RMSE"), ("mae", "MAE"), ("log_loss", "log loss"), ("pair_loss", "pair loss"), ("hinge", "hinge"), ("auc", "AUC"), ("calibration", "calibration")]
        for (key, title) in kinds { add(key, title, to: &plots) { $0.predictions[key] } }
        let ranked: [(String, String, (RankingMetrics) -> Double)] = [
            ("recall", "recall@\(depth)", \.hitRate), ("ndcg", "NDCG@\(depth)", \.gain), ("mrr", "MRR@\(depth)", \.reciprocalRank),
        ]
        for (key, title, value) in ranked { add(key, title, to: &plots) { $0.ranking.cases > 0 ? value($0.ranking) : nil } }
        let curves = lines.compactMap { line -> LinePlot.Line? in
            let bins = (line.result.quality?.all.predictions.bins ?? []).filter { $0.count >= 20 }
            return bins.isEmpty ? nil : LinePlot.Line(line.name, bins.map { ($0.predicted / $0.count, $0.observed / $0.count) })
        }
        if !curves.isEmpty {
            plots.append(("reliability", LinePlot(
                "Observed against predicted probability", x: ("predicted", .linear), y: ("observed", .linear),
                curves + [LinePlot.Line("right", [(0, 0), (1, 1)], style: .dashed, colour: 7)])))
        }
        return plots
    }

    private func add(_ key: String, _ title: String, to plots: inout [(String, LinePlot)], _ value: (QualityPart) -> Double?) {
        let curves = lines.compactMap { line -> LinePlot.Line? in
            let parts = line.result.quality?.parts ?? []
            let points = parts.enumerated().compactMap { number, part in value(part).map { (x: 100 * (Double(number) + 0.5) / Double(parts.count), y: $0) } }
            return points.count < 2 ? nil : LinePlot.Line(line.name, points)
        }
        guard !curves.isEmpty else { return }
        plots.append((key, LinePlot("\(title) over the stream", x: ("percent of the events", .linear), y: (title, .linear), curves)))
    }
}
