internal import Glibc
internal import LinuxSystem

/// A limit on how fast a snapshot is written, so that it leaves the disk to the journal.
public struct SnapshotWriteRate: Sendable {
    /// Bytes per second, at least 1.
    public let bytesPerSecond: UInt64
    /// Nanoseconds on a clock that only goes forward.
    let now: @Sendable () -> UInt64
    /// Waits that many nanoseconds.
    let pause: @Sendable (UInt64) -> Void

    /// A limit by the machine's monotonic clock.
    public init(bytesPerSecond: UInt64) {
        self.init(
            bytesPerSecond: bytesPerSecond,
            now: {
                var time = timespec()
                clock_gettime(CLOCK_MONOTONIC, &time)
                return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
            },
            pause: { nanoseconds in
                // Woken early by a signal, the writer is merely a little ahead; the next pause makes up for it.
                var time = timespec(
                    tv_sec: Int(nanoseconds / 1_000_000_000), tv_nsec: Int(nanoseconds % 1_000_000_000))
                // However long: who holds back on purpose is not stuck.
                Pulse.outside { _ = nanosleep(&time, nil) }
            })
    }

    /// A limit so many times as high.
    func times(_ factor: UInt64) -> SnapshotWriteRate {
        let (product, overflows) = bytesPerSecond.multipliedReportingOverflow(by: factor)
        return SnapshotWriteRate(bytesPerSecond: overflows ? .max : product, now: now, pause: pause)
    }

    /// A limit by another clock, for tests.
    init(bytesPerSecond: UInt64, now: @escaping @Sendable () -> UInt64, pause: @escaping @Sendable (UInt64) -> Void) {
        precondition(bytesPerSecond > 0, "a write rate of zero would never end")
        self.bytesPerSecond = bytesPerSecond
        self.now = now
        self.pause = pause
    }
}

/// Keeps one writer to its rate: after each block it waits until the bytes so far were allowed.
struct WritePace {
    private let rate: SnapshotWriteRate
    private let start: UInt64
    private var written: UInt64 = 0

    init(_ rate: SnapshotWriteRate) {
        self.rate = rate
        start = rate.now()
    }

    mutating func wrote(_ bytes: Int) {
        written += UInt64(bytes)
        let due = Double(written) / Double(rate.bytesPerSecond) * 1e9
        let elapsed = Double(rate.now() - start)
        if due > elapsed { rate.pause(UInt64(due - elapsed)) }
    }
}
