import Foundation
import Testing

/// How the repository must look. Each broken rule is reported as `file:line: what`.
@Suite("Tidy")
struct TidyTests {
    let repository = Repository.here

    @Test("The top level holds the agreed entries and dotfiles, nothing else")
    func topLevel() throws {
        let agreed: Set<String> = ["Package.swift", "Package.resolved", "Sources", "Tests", "Deploy", "README.md"]
        let extra = repository.tracked.compactMap { $0.split(separator: "/").first.map(String.init) }
            .filter { !agreed.contains($0) && !$0.hasPrefix(".") }
        #expect(Set(extra).isEmpty)
        #expect(repository.tracked.contains("Package.swift"))
        #expect(repository.files.count > 10, "the rules below look at files; they must have found them")
    }

    @Test("Files are short enough to read in one go")
    func fileLength() {
        let offences = repository.files.filter { $0.isSource && $0.lines.count > 400 }.map { "\($0.path):401: \($0.lines.count) lines; at most 400" }
        #expect(offences.isEmpty, "\(offences.joined(separator: "\n"))")
    }

    @Test("Functions fit on two screens")
    func functionLength() {
        let offences = repository.files.filter { $0.path.hasSuffix(".swift") }.flatMap { file in
            functions(in: file.lines).filter { $0.length > 90 }.map { "\(file.path):\($0.line): a function of \($0.length) lines; at most 90" }
        }
        #expect(offences.isEmpty, "\(offences.joined(separator: "\n"))")
    }

    @Test("Raw memory stays in the rooms that are made for it")
    func unsafe() {
        let rooms = ["Factorization", "WireFormats", "ZeroMQ", "LinuxSystem", "Persistence", "StreamTools", "LinearAlgebra", "factord-bench"].map { "Sources/\($0)/" }
            // Here bytes are handed on between those rooms without a copy.
            + ["Ingest/ReceiveLoop", "Durability/JournalKeeper", "Durability/Replayer", "Requests/Request", "Snapshots/"].map { "Sources/FactordServer/\($0)" }
        expectNone(#/\bunsafe\b|\bUnsafe(Mutable)?(Raw)?(Buffer)?Pointer|\bwithUnsafe\w*|\bOpaquePointer\b/#, "raw memory outside its rooms") { file in
            file.path.hasPrefix("Sources/") && file.path.hasSuffix(".swift") && !rooms.contains { file.path.hasPrefix($0) }
        }
    }

    @Test("The core and the system wrappers do without Foundation")
    func foundation() {
        let bare = ["Factorization", "LinuxSystem", "ZeroMQ"].map { "Sources/\($0)/" }
        expectNone(#/^\s*(@\w+\s+)*(public |package |internal |private )?import (Foundation|FoundationEssentials)\b/#, "Foundation in a module that does without") { file in
            bare.contains { file.path.hasPrefix($0) }
        }
    }

    @Test("The core does not do input, output, logs or clocks")
    func core() {
        expectNone(#/^\s*(public |package )?import (Glibc|Logging|Dispatch|LinuxSystem|ZeroMQ|Yams)\b|\b(Continuous|Suspending)Clock\b|\bprint\(/#, "input, output, log or clock in the core") {
            $0.path.hasPrefix("Sources/Factorization/")
        }
    }

    @Test("libzmq and simdjson are each known in one place")
    func foreignLibraries() {
        expectNone(#/\bzmq_\w+|\bimport CZeroMQ\b/#, "libzmq outside the ZeroMQ module") { file in
            file.isCode && file.path.hasPrefix("Sources/") && !file.path.hasPrefix("Sources/ZeroMQ/") && !file.path.hasPrefix("Sources/CZeroMQ/")
                && !file.path.hasPrefix("Sources/CYardstick/")
        }
        expectNone(#/simdjson::|#include\s*[<"]simdjson/#, "simdjson outside its shim") { file in
            file.isCode && !file.path.hasPrefix("Sources/CSimdJSON/") && file.path != "Tests/TidyTests/TidyTests.swift"
        }
        let importers = repository.files.filter { file in file.lines.contains { $0.contains("import CSimdJSON") } && file.path.hasPrefix("Sources/") }
        #expect(importers.count <= 1, "the shim is imported by \(importers.map(\.path))")
    }

    @Test("Locks are of the kind that the thread sanitizer sees")
    func locks() {
        expectNone(#/\bMutex\s*[<(]/#, "Synchronization.Mutex instead of LinuxSystem.Lock") { $0.path.hasSuffix(".swift") }
    }

    @Test("A product that is shifted stands in parentheses: in Swift a shift binds tighter than a product, in C it does not")
    func shifts() {
        expectNone(#/\*\s*[\w.]+(\([^()]*\))?\s*(>>|<<)/#, "a shift of which factor?") { $0.path.hasSuffix(".swift") }
    }

    @Test("No leftover markers")
    func markers() {
        // Put together here, so that this file does not hold them.
        let words = ["TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK", "place" + "holder", "not yet imple" + "mented"]
        let found = repository.files.flatMap { file in
            file.lines.enumerated().flatMap { place, line in
                words.filter { isWord($0, in: line) }.map { "\(file.path):\(place + 1): leftover `\($0)`" }
            }
        }
        #expect(found.isEmpty, "\(found.joined(separator: "\n"))")
    }

    @Test("No paths of one machine")
    func machinePaths() {
        expectNone(#/["'` (=](\/work\/|\/root\/|\/home\/\w|\/Users\/|\/opt\/swift)/#, "a path of one machine") { $0.path != "Tests/TidyTests/TidyTests.swift" }
    }

    @Test("Lines have no trailing blanks and no tabs; files end with one newline")
    func whitespace() {
        expectNone(#/[ \t]$|\t/#, "trailing blank or tab") { $0.isCode }
        let endless = repository.files.filter { $0.isSource && !($0.text.hasSuffix("\n") && !$0.text.hasSuffix("\n\n")) }.map(\.path)
        #expect(endless.isEmpty, "not ended by one newline: \(endless)")
    }

    /// Fails with every line that matches, in the files that `included` chooses.
    private func expectNone(
        _ pattern: some RegexComponent & SendableMetatype, _ what: String, location: SourceLocation = #_sourceLocation,
        where included: (Repository.File) -> Bool
    ) {
        var found: [String] = []
        for file in repository.files where included(file) {
            for (place, line) in file.lines.enumerated() where line.firstMatch(of: pattern) != nil {
                let isComment = line.drop { $0 == " " }.hasPrefix("//")
                if !isComment { found.append("\(file.path):\(place + 1): \(what): \(line.trimmingCharacters(in: .whitespaces))") }
            }
        }
        #expect(found.isEmpty, "\(found.joined(separator: "\n"))", sourceLocation: location)
    }
}

/// Whether a line holds a word that is no part of a longer one.
private func isWord(_ word: String, in line: Substring) -> Bool {
    line.ranges(of: word).contains { range in
        let before = range.lowerBound > line.startIndex ? line[line.index(before: range.lowerBound)] : " "
        let after = range.upperBound < line.endIndex ? line[range.upperBound] : " "
        return !before.isLetter && !after.isLetter
    }
}

/// Where functions begin and how many lines they have, told by indentation: the body ends at the first line that is
/// indented like the beginning and closes a brace.
func functions(in lines: [Substring]) -> [(line: Int, length: Int)] {
    var found: [(line: Int, length: Int)] = []
    for (place, line) in lines.enumerated() {
        let indent = line.prefix { $0 == " " }
        guard line.firstMatch(of: #/^\s*(@\w+(\([^)]*\))?\s+)*((public|package|private|fileprivate|internal|static|mutating|override|consuming|borrowing|final|nonisolated|convenience)\s+)*(func |init[?(<]|deinit\b)/#) != nil else { continue }
        guard let end = lines[place...].dropFirst().firstIndex(where: { $0.hasPrefix(indent + "}") || $0 == indent + "}" }) else { continue }
        // A one-line function has no closing brace of its own: what follows it belongs to something else.
        if line.hasSuffix("}") { continue }
        found.append((place + 1, end - place + 1))
    }
    return found
}
