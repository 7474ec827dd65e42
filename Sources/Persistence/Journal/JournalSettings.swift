/// When what was appended is made durable without anybody waiting for it. A record that `Journal.commit` names is made
/// durable in every mode.
public enum JournalSync: Equatable, Sendable {
    /// Every record at once, as if each were committed.
    case always
    /// This often.
    case interval(nanoseconds: Int64)
    /// Left to the operating system, which still gets the bytes once a second; a full segment is synced all the same.
    case never
}

/// How a journal works.
public struct JournalSettings: Equatable, Sendable {
    /// When records are synced that nobody waits for.
    public var sync: JournalSync
    /// How long (nanoseconds) a record that somebody waits for may wait for company; 0 syncs at once.
    public var groupCommitNanoseconds: Int64
    /// Bytes of one segment file, reserved when it is made.
    public var segmentBytes: Int
    /// Bytes of memory that hold records on their way to the file. Half of it is the longest record.
    public var tailBytes: Int
    /// How many positions are reserved ahead of use at a time, at least.
    public var reservationBlock: UInt64
    /// And at most: a stream that uses a block up within half a second has more reserved at once, for each time costs two syncs of
    /// a directory, during which the thread writes nothing.
    public var reservationLimit: UInt64

    public init(
        sync: JournalSync = .interval(nanoseconds: 1_000_000_000), groupCommitNanoseconds: Int64 = 5_000_000,
        segmentBytes: Int = 64 << 20, tailBytes: Int = 8 << 20, reservationBlock: UInt64 = 1 << 24,
        reservationLimit: UInt64? = nil
    ) {
        precondition(groupCommitNanoseconds >= 0 && segmentBytes > 0 && reservationBlock > 0, "journal settings below zero")
        precondition(reservationLimit ?? reservationBlock >= reservationBlock, "the most positions reserved at a time are fewer than the least")
        precondition(tailBytes >= 1024 && tailBytes % 16 == 0, "the journal's memory is below 1 KiB or no multiple of 16")
        if case .interval(let nanoseconds) = sync { precondition(nanoseconds > 0, "a sync interval of nothing") }
        self.sync = sync
        self.groupCommitNanoseconds = groupCommitNanoseconds
        self.segmentBytes = segmentBytes
        self.tailBytes = tailBytes
        self.reservationBlock = reservationBlock
        self.reservationLimit = reservationLimit ?? reservationBlock
    }

    /// The longest payload of one record, in bytes.
    public var payloadLimit: Int { tailBytes / 2 - JournalFormat.recordHeaderSize }

    /// How often the journal thread writes (and in `interval` mode syncs) what nobody waits for.
    var flushNanoseconds: Int64 {
        switch sync {
        case .interval(let nanoseconds): nanoseconds
        case .always, .never: 1_000_000_000
        }
    }

    /// How many bytes may wait before they are written without a reason.
    var writeThreshold: Int { min(tailBytes / 8, 1 << 20) }
}
