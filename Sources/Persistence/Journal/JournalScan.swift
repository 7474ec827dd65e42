internal import LinuxSystem

/// Records that a disk fault took: they were handed to a file that failed, and the journal went on in another.
public struct JournalHole: Equatable, Sendable, CustomStringConvertible {
    /// The records that are missing.
    public let numbers: ClosedRange<UInt64>
    /// The positions that they may have held; nil where they held none.
    public let positions: ClosedRange<UInt64>?

    public var description: String {
        let held = positions.map { ", positions \($0.lowerBound) to \($0.upperBound)" } ?? ""
        return "journal records \(numbers.lowerBound) to \(numbers.upperBound)\(held) are missing: their file failed before they were durable"
    }

    /// What is missing between `before` (number, position) and the first ones after the hole; nil for nothing.
    init?(after before: (number: UInt64, position: UInt64), until next: (number: UInt64, position: UInt64)) {
        guard next.number > before.number + 1 else { return nil }
        numbers = before.number + 1...next.number - 1
        positions = next.position > before.position + 1 ? before.position + 1...next.position - 1 : nil
    }
}

/// A tail that a crash left unfinished and that was cut off: none of it was ever reported durable.
public struct JournalTornTail: Equatable, Sendable {
    /// The segment's path.
    public let file: String
    /// Where it was cut, in bytes.
    public let offset: UInt64
    /// What was not a whole record there.
    public let what: String
}

/// What `Journal.open` found.
public struct JournalScan: Equatable, Sendable {
    /// The first record, and its first position, that the segments can hold; records before were retired.
    public internal(set) var firstNumber: UInt64 = 1
    public internal(set) var firstPosition: UInt64 = 1
    /// The last record, and the greatest position of any; 0 for none. Both count retired records too.
    public internal(set) var lastNumber: UInt64 = 0
    public internal(set) var lastPosition: UInt64 = 0
    /// The number of segment files, and their records' bytes.
    public internal(set) var segments = 0
    public internal(set) var bytes: UInt64 = 0
    /// Nil where nothing had to be cut.
    public internal(set) var tornTail: JournalTornTail?
    /// Oldest first. A snapshot beyond a hole's positions covers it.
    public internal(set) var holes: [JournalHole] = []
    /// Whether the last user closed the journal.
    public internal(set) var wasClosed = false
    /// The durable ceiling that was found: no position above it was given to any event; 0 where there was none.
    public internal(set) var reservedCeiling: UInt64 = 0
    /// What the last segment's records were learned under; the caller's.
    public internal(set) var configuration: [UInt8] = []

    /// No event has a position above this one, as far as the journal knows. The caller adds its snapshots' watermarks.
    public var positionFloor: UInt64 { max(lastPosition, reservedCeiling) }

    public init() {}
}
