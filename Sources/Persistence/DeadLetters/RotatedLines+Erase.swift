internal import LinuxSystem

extension RotatedLines {
    /// Rewrites all files without the lines that may hold an id, and makes that durable: the part of "forget" that erases.
    /// - Returns: how many lines went.
    public func removeLines(holding id: [UInt8]) throws(PersistenceError) -> Int {
        let outcome: Result<Int, SystemError> = state.withLock { state in
            flush(&state)
            state.file = nil
            var removed = 0
            for index in 0..<limits.files {
                do throws(SystemError) { removed += try rewrite(name(index), without: id) } catch { return .failure(error) }
            }
            return .success(removed)
        }
        do throws(SystemError) { return try outcome.get() } catch { throw .system(error) }
    }

    private func rewrite(_ path: String, without id: [UInt8]) throws(SystemError) -> Int {
        let file: any OpenFile
        do throws(SystemError) { file = try fileSystem.openFile(path) } catch where error.code == missingErrorCode { return 0 }
        var bytes = [UInt8](repeating: 0, count: Int(clamping: try file.size()))
        let count = try bytes.withUnsafeMutableBufferPointer { buffer throws(SystemError) in
            try file.readAll(into: UnsafeMutableRawBufferPointer(buffer), at: 0)
        }
        var kept: [UInt8] = [], removed = 0
        for line in bytes[..<count].split(separator: UInt8(ascii: "\n")) {
            if RotatedLines.mayHold(line, id) { removed += 1 } else { kept += line + [UInt8(ascii: "\n")] }
        }
        guard removed > 0 else { return 0 }
        let temporary = path + ".rewritten"
        try removeIfThere(temporary)
        let copy = try fileSystem.createFile(temporary)
        try kept.withUnsafeBufferPointer { buffer throws(SystemError) in try copy.writeAll(UnsafeRawBufferPointer(buffer)) }
        try copy.sync()
        try copy.close()
        // Between the two a crash costs the letters of this file, not the forgetting.
        try fileSystem.remove(path)
        try fileSystem.renameExclusive(temporary, to: path)
        let directory = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
        try fileSystem.syncDirectory(directory.isEmpty ? "/" : directory)
        return removed
    }

    /// Whether a line may hold an id: as a word of its own. Of a payload that is no text nobody can tell.
    static func mayHold(_ line: ArraySlice<UInt8>, _ id: [UInt8]) -> Bool {
        contains(line, Array("\"payload_base64\"".utf8), asWord: false) || contains(line, escaped(id, times: 2), asWord: true)
            || contains(line, escaped(id, times: 1), asWord: true)
    }

    private static func contains(_ line: ArraySlice<UInt8>, _ word: [UInt8], asWord: Bool) -> Bool {
        guard let first = word.first, line.count >= word.count else { return false }
        func isLetter(_ index: Int) -> Bool {
            guard line.indices.contains(index) else { return false }
            let byte = line[index]
            return byte >= 0x80 || (0x30...0x39).contains(byte) || (0x61...0x7A).contains(byte | 0x20)
        }
        for start in line.startIndex...(line.endIndex - word.count) where line[start] == first {
            guard (0..<word.count).allSatisfy({ line[start + $0] == word[$0] }) else { continue }
            if !asWord || !isLetter(start - 1) && !isLetter(start + word.count) { return true }
        }
        return false
    }

    /// An id as it stands in a line, or in a text inside a line: a quote or backslash is escaped once, or twice.
    private static func escaped(_ id: [UInt8], times: Int) -> [UInt8] {
        let slash = UInt8(ascii: "\\")
        return (0..<times).reduce(id) { id, _ in
            id.flatMap { byte in byte == UInt8(ascii: "\"") || byte == slash ? [slash, byte] : [byte] }
        }
    }
}
