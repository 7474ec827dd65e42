/// A snapshot in a store's directory, known by its name alone: `snapshot-<position, 20 digits>-<number>.factord`.
public struct SnapshotName: Equatable, Hashable, Comparable, Sendable {
    /// The highest event position it holds.
    public let position: UInt64
    /// Tells snapshots of one position apart; from 1.
    public let number: UInt32

    static let suffix = ".factord"
    static let prefix = "snapshot-"
    private static let digits = 20

    init(position: UInt64, number: UInt32) {
        self.position = position
        self.number = number
    }

    /// Nil where `fileName` is not exactly a name that `fileName` of some value gives.
    public init?(fileName: String) {
        guard fileName.hasPrefix(Self.prefix), fileName.hasSuffix(Self.suffix) else { return nil }
        let parts = fileName.dropFirst(Self.prefix.count).dropLast(Self.suffix.count).split(separator: "-")
        guard parts.count == 2, let position = UInt64(parts[0]), let number = UInt32(parts[1]) else { return nil }
        self.init(position: position, number: number)
        guard self.fileName == fileName else { return nil }
    }

    /// The name within the directory.
    public var fileName: String {
        let decimal = String(position)
        let zeros = String(repeating: "0", count: Self.digits - decimal.count)
        return "\(Self.prefix)\(zeros)\(decimal)-\(number)\(Self.suffix)"
    }

    /// Older before newer.
    public static func < (left: Self, right: Self) -> Bool {
        (left.position, left.number) < (right.position, right.number)
    }

    /// The name under which a snapshot of `position` is written before it is whole.
    static func temporary(position: UInt64) -> String { ".snap-\(position).tmp" }

    static func isTemporary(_ fileName: String) -> Bool { fileName.hasPrefix(".snap-") && fileName.hasSuffix(".tmp") }
}
