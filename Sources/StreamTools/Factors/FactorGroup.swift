/// The rows of one side of a model: what other programs call factors, embeddings or vectors.
public struct FactorGroup: Sendable, Equatable {
    /// `users`, `items`, `histories`.
    public var name: String
    public var ids: [EventID]
    public var rank: Int
    /// `rank` floats for each id.
    public var factors: [Float]
    /// Linear weights, by others called biases; nil where the group has none.
    public var weights: [Float]?

    public init(name: String, ids: [EventID], rank: Int, factors: [Float], weights: [Float]? = nil) {
        precondition(factors.count == ids.count * rank && weights?.count ?? ids.count == ids.count, "a row and a weight for each id")
        self.name = name
        self.ids = ids
        self.rank = rank
        self.factors = factors
        self.weights = weights
    }

    public func row(_ number: Int) -> ArraySlice<Float> { factors[number * rank..<(number + 1) * rank] }
}

/// How factors lie in files.
///
/// | format | files of a group |
/// |---|---|
/// | npy | `NAME.npy` (rows × rank), `NAME.ids` (an id a line), `NAME.weights.npy` |
/// | text | `NAME.txt`: id, weight (0 for none) and factors, tabs between |
/// | word2vec | `NAME.vec`: rows and rank, then id and factors, blanks between; `NAME.weights.npy` |
///
/// In ids, blanks (word2vec), tabs, line ends and percent signs are escaped like `%20`.
public enum FactorFormat: String, Sendable, CaseIterable {
    case npy, text, word2vec

    /// Writes a group; answers the files' paths.
    public func write(_ group: FactorGroup, to directory: String) throws(StreamToolsError) -> [String] {
        let base = "\(directory)/\(group.name)"
        var files: [String] = []
        switch self {
        case .npy:
            files = [base + ".npy", base + ".ids"]
            try NumpyArray(rows: group.ids.count, columns: group.rank, values: group.factors).write(to: files[0])
            try TextFile.write(group.ids.map { FeatureNames.escaped($0.description) + "\n" }.joined(), to: files[1])
        case .text:
            files = [base + ".txt"]
            let lines = group.ids.indices.map { number in
                ([FeatureNames.escaped(group.ids[number].description), "\(group.weights?[number] ?? 0)"] + group.row(number).map { "\($0)" }).joined(separator: "\t")
            }
            try TextFile.write(lines.map { $0 + "\n" }.joined(), to: files[0])
        case .word2vec:
            files = [base + ".vec"]
            let lines = group.ids.indices.map { number in
                ([FeatureNames.escaped(group.ids[number].description, also: [" "])] + group.row(number).map { "\($0)" }).joined(separator: " ")
            }
            try TextFile.write("\(group.ids.count) \(group.rank)\n" + lines.map { $0 + "\n" }.joined(), to: files[0])
        }
        if self != .text, let weights = group.weights {
            try NumpyArray(weights).write(to: base + ".weights.npy")
            files.append(base + ".weights.npy")
        }
        return files
    }

    /// By the end of a file's name.
    public init?(path: String) {
        if path.hasSuffix(".npy") { self = .npy } else if path.hasSuffix(".txt") || path.hasSuffix(".tsv") { self = .text } else if path.hasSuffix(".vec") || path.hasSuffix(".w2v") { self = .word2vec } else { return nil }
    }

    /// Reads a group.
    /// - Parameters:
    ///   - ids: for npy, a file with an id a line; without, rows are numbered from 0.
    ///   - weights: an .npy file of one number a row; not for text, which has them.
    public func read(_ name: String, path: String, ids: String? = nil, weights: String? = nil) throws(StreamToolsError) -> FactorGroup {
        var group = try self == .npy ? array(name, path, ids) : lines(name, path)
        if let weights {
            let array = try NumpyArray(path: weights)
            guard array.values.count == group.ids.count else { throw .unknownFormat(path: weights, reason: "\(array.values.count) weights for \(group.ids.count) rows of \(path)") }
            group.weights = array.values
        }
        guard group.factors.allSatisfy(\.isFinite), group.weights?.allSatisfy(\.isFinite) ?? true else { throw .unknownFormat(path: path, reason: "holds values that are not finite") }
        guard Set(group.ids).count == group.ids.count else { throw .unknownFormat(path: ids ?? path, reason: "an id stands there twice") }
        return group
    }

    private func array(_ name: String, _ path: String, _ ids: String?) throws(StreamToolsError) -> FactorGroup {
        let array = try NumpyArray(path: path)
        var names = (0..<array.rows).map { EventID.integer(Int64($0)) }
        if let ids {
            names = []
            let lines = try LineReader(path: ids)
            while let line = try lines.nextLine() {
                guard let id = EventID(FeatureNames.unescaped(String(decoding: line, as: UTF8.self))) else {
                    throw .malformedLine(path: ids, line: lines.lineNumber, reason: "an id is 1 to 1024 bytes long")
                }
                names.append(id)
            }
            guard names.count == array.rows else { throw .unknownFormat(path: ids, reason: "\(names.count) ids for \(array.rows) rows of \(path)") }
        }
        return FactorGroup(name: name, ids: names, rank: array.columns, factors: array.values)
    }

    private func lines(_ name: String, _ path: String) throws(StreamToolsError) -> FactorGroup {
        let lines = try LineReader(path: path), separator: Character = self == .text ? "\t" : " "
        var ids: [EventID] = [], factors: [Float] = [], weights: [Float] = [], rank: Int?
        while let line = try lines.nextLine() {
            let parts = String(decoding: line, as: UTF8.self).split(separator: separator)
            if self == .word2vec, lines.lineNumber == 1 {
                rank = parts.count == 2 ? Int(parts[1]) : nil
                guard rank != nil else { throw .malformedLine(path: path, line: 1, reason: "the first line has rows and rank") }
                continue
            }
            if parts.isEmpty { continue }
            let numbers = parts.dropFirst().compactMap { Float($0) }, count = numbers.count - (self == .text ? 1 : 0)
            guard let id = EventID(FeatureNames.unescaped(parts[0])), numbers.count == parts.count - 1, count >= 1, count == rank ?? count else {
                throw .malformedLine(path: path, line: lines.lineNumber, reason: "an id and \(rank.map { "\($0) " } ?? "")numbers are expected")
            }
            rank = count
            ids.append(id)
            if self == .text { weights.append(numbers[0]) }
            factors += self == .text ? numbers.dropFirst() : numbers[...]
        }
        return FactorGroup(name: name, ids: ids, rank: rank ?? 0, factors: factors, weights: self == .text ? weights : nil)
    }
}
