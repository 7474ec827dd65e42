import Synchronization

/// Limits of requests that may change while the daemon runs. Any thread.
final class RequestLimits: Sendable {
    private let body: Atomic<Int>
    private let flight: Atomic<Int>
    private let pace: Atomic<Int>

    init(_ settings: Configuration.Requests) {
        body = Atomic(settings.maxBody.bytes)
        flight = Atomic(settings.inFlight)
        pace = Atomic(settings.rate)
    }

    func use(_ settings: Configuration.Requests) {
        body.store(settings.maxBody.bytes, ordering: .relaxed)
        flight.store(settings.inFlight, ordering: .relaxed)
        pace.store(settings.rate, ordering: .relaxed)
    }

    /// Bytes of the largest body that is looked at.
    var maxBody: Int { body.load(ordering: .relaxed) }
    /// Requests of one client that may wait for a position or a thread.
    var inFlight: Int { flight.load(ordering: .relaxed) }
    /// Requests a second that one client may send; 0 for no limit.
    var rate: Int { pace.load(ordering: .relaxed) }
}
