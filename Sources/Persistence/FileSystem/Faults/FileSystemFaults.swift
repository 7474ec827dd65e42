public import Glibc
internal import LinuxSystem

/// The kinds of calls that a file system gets; what a fault may hit.
public enum FileSystemCall: String, CaseIterable, Sendable {
    case create, open, mkdir, list, rename, unlink, syncdir
    case write, read, size, allocate, truncate, writeback, sync, syncdata, close
}

/// How a file system is to fail: for tests and crash harnesses. Without any setting it does not.
public struct FileSystemFaults: Sendable {
    /// The number of the call (from 1, counted since the faults were set) that fails; nil for none.
    public var failAt: Int?
    /// With which errno value calls fail.
    public var code: Int32
    /// Whether every later call fails too, as in a process that was killed or a machine that lost power.
    public var stopThere: Bool
    /// Calls of these kinds always fail.
    public var failing: Set<FileSystemCall>
    /// The most bytes that one write takes.
    public var longestWrite: Int
    /// With a seed, each write takes a random part of what it is given.
    public var shortWriteSeed: UInt64?
    /// The bytes that the disk holds; for a disk in memory.
    public var capacity: Int

    public init(
        failAt: Int? = nil, code: Int32 = EIO, stopThere: Bool = false, failing: Set<FileSystemCall> = [],
        longestWrite: Int = .max, shortWriteSeed: UInt64? = nil, capacity: Int = .max
    ) {
        self.failAt = failAt
        self.code = code
        self.stopThere = stopThere
        self.failing = failing
        self.longestWrite = longestWrite
        self.shortWriteSeed = shortWriteSeed
        self.capacity = capacity
    }

    /// Every sync of a file fails.
    public static let failingSyncs = FileSystemFaults(failing: [.sync, .syncdata])
}

/// Faults, and how many calls were made under them.
struct FaultCounter {
    var faults = FileSystemFaults() {
        didSet {
            calls = 0
            random = faults.shortWriteSeed.map { FaultRandom(seed: $0) }
        }
    }
    private(set) var calls = 0
    private var random: FaultRandom?

    /// Counts a call, and fails it when it is its turn.
    mutating func count(_ call: FileSystemCall, _ path: String) throws(SystemError) {
        calls += 1
        let isTurn = faults.failAt.map { faults.stopThere ? calls >= $0 : calls == $0 } ?? false
        if isTurn || faults.failing.contains(call) { throw SystemError(call: call.rawValue, subject: path, code: faults.code) }
    }

    /// How many of `count` bytes a write takes, at least one.
    mutating func taken(of count: Int) -> Int {
        let most = min(count, faults.longestWrite)
        guard most > 1, random != nil else { return most }
        return 1 + Int(random!.next() % UInt64(most))
    }
}

/// A repeatable source of chance (splitmix64).
public struct FaultRandom: RandomNumberGenerator, Sendable {
    private var state: UInt64

    public init(seed: UInt64) { state = seed }

    public mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var word = (state ^ (state >> 30)) &* 0xBF58_476D_1CE4_E5B9
        word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
        return word ^ (word >> 31)
    }
}
