import Foundation

/// The repository that this test was compiled from, as far as people write it.
struct Repository: Sendable {
    struct File: Sendable {
        /// Relative to the top level.
        let path: String
        let text: String
        let lines: [Substring]

        init(path: String, text: String) {
            self.path = path
            self.text = text
            lines = text.split(separator: "\n", omittingEmptySubsequences: false).dropLast(text.hasSuffix("\n") ? 1 : 0)
        }

        /// Swift, C or C++.
        var isSource: Bool { ["swift", "c", "cpp", "h"].contains((path as NSString).pathExtension) }
        /// A source file or a script.
        var isCode: Bool { isSource || text.hasPrefix("#!") || path.hasSuffix(".sh") }
    }

    /// Names of the top level and below that belong to the repository, relative paths.
    let tracked: [String]
    /// The text files among them.
    let files: [File]

    static let here = Repository(root: URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent())

    /// Reads everything under `Sources`, `Tests`, `Deploy` and `.ci`, and the top level's own files.
    ///
    /// What builds and runs leave behind is no part of it: `.build`, `.git`, and the top level's ignored names.
    private init(root: URL) {
        let manager = FileManager.default
        let ignored: Set<String> = [".build", ".git", "factord-state", "Package.resolved"]
        let top = ((try? manager.contentsOfDirectory(atPath: root.path)) ?? []).filter { !ignored.contains($0) }.sorted()
        var tracked: [String] = []
        for name in top {
            var isDirectory: ObjCBool = false
            guard manager.fileExists(atPath: root.appendingPathComponent(name).path, isDirectory: &isDirectory) else { continue }
            if !isDirectory.boolValue { tracked.append(name); continue }
            if name.hasPrefix("."), name != ".ci" { continue }
            let inner = manager.enumerator(atPath: root.appendingPathComponent(name).path)?.compactMap { $0 as? String } ?? []
            tracked += inner.filter { !$0.contains("__pycache__") }.map { "\(name)/\($0)" }.sorted()
            if inner.isEmpty { tracked.append(name + "/") }
        }
        self.tracked = tracked
        files = tracked.compactMap { path in
            let url = root.appendingPathComponent(path)
            guard let data = try? Data(contentsOf: url), !data.contains(0), let text = String(data: data, encoding: .utf8) else { return nil }
            return File(path: path, text: text)
        }
    }
}
