/// How much a dead-letter file may hold. On disk it never takes more than `fileBytes` × `files`.
public struct DeadLetterLimits: Equatable, Sendable {
    /// Bytes of one file before it is rotated.
    public var fileBytes: Int
    /// How many files there are at most, the current one included; at least 1.
    public var files: Int
    /// Bytes of a payload that are kept.
    public var payloadBytes: Int
    /// Bytes that are collected in memory before they are written.
    public var bufferBytes: Int

    public init(
        fileBytes: Int = 16 << 20, files: Int = 4, payloadBytes: Int = 4096, bufferBytes: Int = 64 << 10
    ) {
        precondition(fileBytes > 0 && files > 0 && payloadBytes >= 0 && bufferBytes >= 0, "dead-letter limits below zero")
        self.fileBytes = fileBytes
        self.files = files
        self.payloadBytes = payloadBytes
        self.bufferBytes = bufferBytes
    }
}

/// What happened to dead letters since the start.
public struct DeadLetterCounts: Equatable, Sendable {
    /// Lines handed to the operating system.
    public var written: UInt64 = 0
    /// Lines that could not be kept: the disk refused them, or one alone is over the file's limit.
    public var lost: UInt64 = 0
    /// Lines whose payload was cut.
    public var cut: UInt64 = 0
}

/// Bad records, one JSON line each (`DeadLetter` has the form), for a person to look into: `RotatedLines` says how they are kept.
///
/// Nothing here throws into a stream: what cannot be written is counted. Mode 0600, for payloads are personal data.
/// Not made for every event: a lock, and a line formatted under it.
/// Threads: any.
public final class DeadLetterFile: Sendable {
    private let lines: RotatedLines

    /// Touches no disk: the file is opened when the first line is written. The directory must exist by then.
    public init(_ path: String, limits: DeadLetterLimits = .init(), fileSystem: any FileSystem = LinuxFileSystem()) {
        lines = RotatedLines(path, limits: limits, fileSystem: fileSystem)
    }

    /// The current file.
    public var path: String { lines.path }

    /// What was written and lost so far.
    public var counts: DeadLetterCounts { lines.counts }

    /// The last thing the disk refused, for the log; nil again once a write succeeds.
    public var lastFailure: PersistenceError? { lines.lastFailure }

    /// Sets a record aside: when (milliseconds since 1970, the caller's clock), from which stream, a short reason that
    /// counters share, what was wrong in words, and the record's bytes.
    public func append(
        timeMilliseconds: Int64, stream: String, reason: String, detail: String, payload: UnsafeRawBufferPointer
    ) {
        let letter = DeadLetter(timeMilliseconds: timeMilliseconds, stream: stream, reason: reason, detail: detail)
        var line: [UInt8] = []
        let isCut = letter.encode(payload, payloadLimit: lines.limits.payloadBytes, into: &line)
        lines.append(line, isCut: isCut)
    }

    /// Writes what is buffered: on a timer, before a stop, and before a person is told where to look.
    public func flush() { lines.flush() }

    /// Removes every dead letter, also those in memory: the part of "forget" that erases. Throws when a file remains.
    public func removeAll() throws(PersistenceError) { try lines.removeAll() }

    /// `RotatedLines.removeLines`.
    public func removeLines(holding id: [UInt8]) throws(PersistenceError) -> Int { try lines.removeLines(holding: id) }
}
