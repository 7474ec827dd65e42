/// Events as files of other programs.
public enum ExportFormat: String, Sendable, CaseIterable {
    case jsonl, csv
    /// MovieLens: u.data (tabs), ratings.dat (`::`), ratings.csv.
    case udata, dat
    case movielens
    case libfm, libsvm, libffm, vw

    /// Whether features go by number, so that a file of names belongs to it.
    public var isNumbered: Bool { [.libfm, .libsvm, .libffm].contains(self) }

    /// Writes a file.
    /// - Parameter names: where the names of numbered features go.
    /// - Returns: what of the events the format has no place for, in words; empty when all is told.
    public func write(_ events: [DatasetEvent], to path: String, names: String? = nil) throws(StreamToolsError) -> [String] {
        switch self {
        case .jsonl:
            let file = try EventFile(path: path)
            for event in events { try file.append(event) }
            try file.flush()
            return []
        case .csv: return try table(events, path, header: true)
        case .udata, .dat, .movielens: return try ratings(events, path)
        case .libfm, .libsvm, .libffm, .vw: return try sparse(events, path, names: names)
        }
    }

    /// What some events have and a format has no place for.
    private func lost(_ events: [DatasetEvent], time: Bool = false, weight: Bool = false, type: Bool = false, context: Bool = false) -> [String] {
        var lost: [String] = []
        if time, events.contains(where: { $0.timeMilliseconds != nil }) { lost.append("times") }
        if weight, events.contains(where: { $0.weight != nil }) { lost.append("weights") }
        if type, events.contains(where: { $0.type != nil }) { lost.append("types") }
        if context, events.contains(where: { !$0.context.isEmpty }) { lost.append("context") }
        return lost
    }

    private func sparse(_ events: [DatasetEvent], _ path: String, names: String?) throws(StreamToolsError) -> [String] {
        guard let format = SparseFormat(rawValue: rawValue) else { return [] }
        let known = isNumbered ? FeatureNames(events, first: self == .libsvm ? 1 : 0) : FeatureNames()
        try TextFile.write(events.map { format.line($0, names: known) + "\n" }.joined(), to: path)
        if isNumbered, let names { try TextFile.write(known.text, to: names) }
        return lost(events, time: true, weight: isNumbered, type: isNumbered)
    }

    /// user, item, rating, seconds.
    private func ratings(_ events: [DatasetEvent], _ path: String) throws(StreamToolsError) -> [String] {
        let separator = self == .udata ? "\t" : self == .dat ? "::" : ","
        var text = self == .movielens ? "userId,movieId,rating,timestamp\n" : ""
        for event in events {
            let time = event.timeMilliseconds.map { $0 / 1000 } ?? 0
            text += [field(event.user.description), field(event.item.description), plain(event.value ?? 1), "\(time)"].joined(separator: separator) + "\n"
        }
        try TextFile.write(text, to: path)
        return lost(events, weight: true, type: true, context: true)
    }

    private func table(_ events: [DatasetEvent], _ path: String, header: Bool) throws(StreamToolsError) -> [String] {
        var fields: [String] = [], isLossy = false
        for event in events {
            for pair in event.context where !fields.contains(pair.field) { fields.append(pair.field) }
        }
        let hasWeight = events.contains { $0.weight != nil }, hasType = events.contains { $0.type != nil }
        let hasValue = events.contains { $0.value != nil }, hasTime = events.contains { $0.timeMilliseconds != nil }
        var columns = ["user", "item"]
        for (name, isThere) in [("type", hasType), ("value", hasValue), ("weight", hasWeight), ("time", hasTime)] where isThere { columns.append(name) }
        var text = (columns + fields).map(field).joined(separator: ",") + "\n"
        for event in events {
            var cells = [event.user.description, event.item.description]
            if hasType { cells.append(event.type ?? "") }
            if hasValue { cells.append(event.value.map(plain) ?? "") }
            if hasWeight { cells.append(event.weight.map(plain) ?? "") }
            if hasTime { cells.append(event.timeMilliseconds.map(ExportFormat.time) ?? "") }
            for name in fields {
                let values = event.context.filter { $0.field == name }
                isLossy = isLossy || values.count > 1 || values.contains { $0.weight != 1 }
                cells.append(values.first?.value.description ?? "")
            }
            text += cells.map(field).joined(separator: ",") + "\n"
        }
        try TextFile.write(text, to: path)
        return isLossy ? ["further values of a context field, and their weights"] : []
    }

    /// Seconds where that is all there is to say.
    private static func time(_ milliseconds: Int64) -> String {
        if let integer = EventJSON.wireTime(milliseconds) { return "\(integer)" }
        return "\(Double(milliseconds) / 1000)"
    }

    private func plain(_ value: Float) -> String { value == value.rounded() && value.magnitude < 1e6 ? "\(Int(value))" : "\(value)" }

    /// RFC 4180.
    private func field(_ text: String) -> String {
        guard self == .csv || self == .movielens, text.contains(where: { ",\"\r\n".contains($0) || $0.isNewline }) else { return text }
        return "\"" + text.replacing("\"", with: "\"\"") + "\""
    }
}
