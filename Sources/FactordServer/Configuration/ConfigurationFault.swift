/// Where a setting was written.
public enum SettingOrigin: Sendable, Equatable, Codable, CustomStringConvertible {
    /// A line of the configuration file, from 1.
    case line(Int, file: String)
    /// An environment variable.
    case environment(String)
    /// A command-line flag, as typed.
    case flag(String)
    /// The defaults.
    case builtIn

    public var description: String {
        switch self {
        case .line(let line, let file): "\(file):\(line)"
        case .environment(let name): "environment variable \(name)"
        case .flag(let flag): flag
        case .builtIn: "defaults"
        }
    }
}

/// One thing that is wrong with a configuration.
public struct ConfigurationFault: Sendable, Equatable, Codable, CustomStringConvertible {
    public let origin: SettingOrigin
    /// The key at fault, such as `models[0].rank`; empty for the file as a whole.
    public let path: String
    /// What is wrong, and what would be right.
    public let problem: String

    public var description: String {
        path.isEmpty ? "\(origin): \(problem)" : "\(origin): \(path): \(problem)"
    }
}

/// A configuration that cannot be used.
public enum ConfigurationError: Error, Equatable, CustomStringConvertible {
    /// The file could not be read: its path, and why.
    case unreadable(path: String, reason: String)
    /// Everything that is wrong, in the order of the file's lines, then what came from elsewhere.
    case faults([ConfigurationFault])

    public var description: String {
        switch self {
        case .unreadable(let path, let reason): "\(path): \(reason)"
        case .faults(let faults): faults.map(\.description).joined(separator: "\n")
        }
    }
}

/// The candidate that `word` most likely meant, by edit distance; nil when none is near.
func nearest(to word: String, among candidates: [String]) -> String? {
    let ranked = candidates.map { ($0, editDistance(word.lowercased(), $0)) }.min { $0.1 < $1.1 }
    guard let (candidate, distance) = ranked, distance <= max(1, min(word.count, candidate.count) / 2), distance <= 3 else { return nil }
    return candidate
}

/// Insertions, deletions, replacements and swaps of neighbours that turn one word into the other (Damerau; restricted form).
func editDistance(_ first: String, _ second: String) -> Int {
    let a = Array(first.utf8), b = Array(second.utf8)
    var rows = [[Int]](repeating: [Int](repeating: 0, count: b.count + 1), count: a.count + 1)
    for i in 0...a.count { rows[i][0] = i }
    for j in 0...b.count { rows[0][j] = j }
    guard !a.isEmpty, !b.isEmpty else { return max(a.count, b.count) }
    for i in 1...a.count {
        for j in 1...b.count {
            var best = min(rows[i - 1][j] + 1, rows[i][j - 1] + 1, rows[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1))
            if i > 1, j > 1, a[i - 1] == b[j - 2], a[i - 2] == b[j - 1] { best = min(best, rows[i - 2][j - 2] + 1) }
            rows[i][j] = best
        }
    }
    return rows[a.count][b.count]
}
