internal import LinuxSystem

extension DeadLetterFile {
    /// Rewrites all files without the lines that `isUnwanted` names, and makes that durable: the part of "forget" that erases. A
    /// line comes without its end.
    /// - Returns: how many lines went.
    public func removeLines(where isUnwanted: (UnsafeRawBufferPointer) -> Bool) throws(PersistenceError) -> Int {
        let outcome: Result<Int, SystemError> = state.withLock { state in
            flush(&state)
            state.file = nil
            var removed = 0
            for index in 0..<limits.files {
                do throws(SystemError) { removed += try rewrite(name(index), isUnwanted) } catch { return .failure(error) }
            }
            return .success(removed)
        }
        do throws(SystemError) { return try outcome.get() } catch { throw .system(error) }
    }

    private func rewrite(_ path: String, _ isUnwanted: (UnsafeRawBufferPointer) -> Bool) throws(SystemError) -> Int {
        let file: any OpenFile
        do throws(SystemError) { file = try fileSystem.openFile(path) } catch where error.code == missingErrorCode { return 0 }
        var bytes = [UInt8](repeating: 0, count: Int(clamping: try file.size()))
        let count = try bytes.withUnsafeMutableBufferPointer { buffer throws(SystemError) in
            try file.readAll(into: UnsafeMutableRawBufferPointer(buffer), at: 0)
        }
        var kept: [UInt8] = [], removed = 0
        for line in bytes[..<count].split(separator: UInt8(ascii: "\n")) {
            if line.withUnsafeBytes(isUnwanted) { removed += 1 } else { kept += line + [UInt8(ascii: "\n")] }
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
}
