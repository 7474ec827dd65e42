import LinuxSystem
import Synchronization
import WireFormats

/// What happened on one stream. Written by its receiver, read by anyone.
final class StreamCounters: Sendable {
    let name: String
    let messages = Atomic<Int>(0)
    let bytes = Atomic<Int>(0)
    /// Records that decoded well.
    let records = Atomic<Int>(0)
    /// Messages beyond the limits on frames or bytes.
    let oversize = Atomic<Int>(0)
    /// Connections that ended.
    let disconnects = Atomic<Int>(0)
    /// Times that the socket had to be made anew, because libzmq had given its peer up for ever.
    let recreated = Atomic<Int>(0)
    /// Records set aside, by `RejectionReason.ordinal`.
    /// Acknowledged streams: answers by status, and those that a publisher did not take.
    let answered = StatusCounters()
    let answersDropped = Atomic<Int>(0)
    /// What is known of losses.
    private let lossCounts = Lock<LossCounts>(LossCounts())
    private let rejections = Lock<[UInt64]>([UInt64](repeating: 0, count: RejectionReason.allCases.count))

    init(name: String) { self.name = name }

    func reject(_ reason: RejectionReason, count: UInt64 = 1) {
        rejections.withLock { $0[reason.ordinal] += count }
    }

    func set(_ counts: LossCounts) { lossCounts.withLock { $0 = counts } }
    var losses: LossCounts { lossCounts.withLock { $0 } }

    /// Reasons that happened, with their counts.
    var rejected: [(reason: RejectionReason, count: UInt64)] {
        rejections.withLock { counts in RejectionReason.allCases.map { ($0, counts[$0.ordinal]) }.filter { $0.1 > 0 } }
    }
}
