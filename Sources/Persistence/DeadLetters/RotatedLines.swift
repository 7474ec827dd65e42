internal import LinuxSystem

/// Lines in files of bounded size and number. The current file is `path`; a full one becomes `path.1`, the one before
/// `path.2`, and so on up to the limit; the oldest is removed. Mode 0600. Lines are gathered in memory and written together;
/// nothing here throws, what cannot be written is counted, and a line that a crash left unfinished is cut.
/// Threads: any; everything mutable is inside `state`, protected by its lock, which is held while the disk writes.
public final class RotatedLines: Sendable {
    /// The current file.
    public let path: String
    /// What it may hold.
    public let limits: DeadLetterLimits

    let fileSystem: any FileSystem
    let state = Lock(State())

    struct State {
        var counts = DeadLetterCounts()
        /// Whole lines that are not written yet.
        var buffer: [UInt8] = []
        var bufferedLines: UInt64 = 0
        /// Nil before the first write and after a failure.
        var file: (any OpenFile)?
        /// Bytes of whole lines in `file`.
        var size = 0
        var lastFailure: PersistenceError?
    }

    /// Touches no disk: the file is opened when the first line is written. The directory must exist by then.
    public init(_ path: String, limits: DeadLetterLimits = .init(), fileSystem: any FileSystem = LinuxFileSystem()) {
        self.path = path
        self.limits = limits
        self.fileSystem = fileSystem
    }

    /// What was written and lost so far.
    public var counts: DeadLetterCounts { state.withLock { $0.counts } }

    /// The last thing the disk refused, for the log; nil again once a write succeeds.
    public var lastFailure: PersistenceError? { state.withLock { $0.lastFailure } }

    /// Takes a whole line, its newline included.
    /// - Parameter isCut: for the counts.
    public func append(_ line: [UInt8], isCut: Bool = false) {
        state.withLock { state in
            if isCut { state.counts.cut += 1 }
            guard line.count <= limits.fileBytes else {
                state.counts.lost += 1
                return
            }
            // A buffer never spans two files.
            if state.buffer.count + line.count > min(limits.fileBytes, max(limits.bufferBytes, line.count)) {
                flush(&state)
            }
            state.buffer += line
            state.bufferedLines += 1
            if state.buffer.count >= limits.bufferBytes { flush(&state) }
        }
    }

    /// Writes what is buffered: on a timer, before a stop, and before a person is told where to look.
    public func flush() { state.withLock { flush(&$0) } }

    /// Removes every line, also those in memory. Throws when a file remains.
    public func removeAll() throws(PersistenceError) {
        let failure: SystemError? = state.withLock { state in
            state.buffer = []
            state.bufferedLines = 0
            state.size = 0
            state.file = nil
            var failure: SystemError?
            for index in 0..<limits.files {
                do throws(SystemError) { try removeIfThere(name(index)) } catch { failure = error }
            }
            return failure
        }
        if let failure { throw .system(failure) }
    }

    func name(_ index: Int) -> String { index == 0 ? path : "\(path).\(index)" }

    func flush(_ state: inout State) {
        guard !state.buffer.isEmpty else { return }
        do throws(SystemError) {
            try write(&state)
            state.counts.written += state.bufferedLines
            state.lastFailure = nil
        } catch {
            state.counts.lost += state.bufferedLines
            state.lastFailure = .system(error)
            // Take back a line written in part; where that fails too, opening again mends it.
            try? state.file?.truncate(to: UInt64(state.size))
            state.file = nil
        }
        state.buffer.removeAll(keepingCapacity: true)
        state.bufferedLines = 0
    }

    private func write(_ state: inout State) throws(SystemError) {
        if state.file == nil { try open(&state) }
        if state.size + state.buffer.count > limits.fileBytes {
            state.file = nil
            try rotate()
            try open(&state)
        }
        try state.buffer.withUnsafeBufferPointer { bytes throws(SystemError) in
            try state.file?.writeAll(UnsafeRawBufferPointer(bytes))
        }
        state.size += state.buffer.count
    }

    /// Opens the current file, and cuts a line that a crash left unfinished.
    private func open(_ state: inout State) throws(SystemError) {
        let file = try fileSystem.openAppending(path)
        let found = try file.size()
        let whole = try endOfLastLine(file, size: found)
        if whole < found { try file.truncate(to: whole) }
        state.file = file
        state.size = Int(clamping: whole)
    }

    private func endOfLastLine(_ file: any OpenFile, size: UInt64) throws(SystemError) -> UInt64 {
        var end = size
        var chunk = [UInt8](repeating: 0, count: 4096)
        while end > 0 {
            let start = end > 4096 ? end - 4096 : 0
            let count = try chunk.withUnsafeMutableBufferPointer { buffer throws(SystemError) in
                let wanted = UnsafeMutableRawBufferPointer(buffer)[..<Int(end - start)]
                return try file.readAll(into: UnsafeMutableRawBufferPointer(rebasing: wanted), at: start)
            }
            if let newline = chunk[..<count].lastIndex(of: UInt8(ascii: "\n")) { return start + UInt64(newline) + 1 }
            end = start
        }
        return 0
    }

    /// Moves every file one name up; the oldest goes.
    private func rotate() throws(SystemError) {
        try removeIfThere(name(limits.files - 1))
        for index in stride(from: limits.files - 2, through: 0, by: -1) {
            do throws(SystemError) {
                try fileSystem.renameExclusive(name(index), to: name(index + 1))
            } catch where error.code == missingErrorCode {
            }
        }
    }

    func removeIfThere(_ path: String) throws(SystemError) {
        do throws(SystemError) { try fileSystem.remove(path) } catch where error.code == missingErrorCode {}
    }
}
