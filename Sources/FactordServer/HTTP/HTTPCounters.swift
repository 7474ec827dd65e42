import Synchronization

/// What the HTTP side did. Written by its thread, read by anyone.
final class HTTPCounters: Sendable {
    let accepted = Atomic<Int>(0)
    /// Connections that are open now.
    let open = Atomic<Int>(0)
    /// Answers by kind of status.
    let succeeded = Atomic<Int>(0)
    let clientErrors = Atomic<Int>(0)
    let serverErrors = Atomic<Int>(0)
    /// Connections that made room for newer ones, being silent for longest.
    let evicted = Atomic<Int>(0)
    /// Connections that took too long to send a request or to take an answer.
    let timedOut = Atomic<Int>(0)
    /// Times that no descriptor was left for a connection.
    let noDescriptor = Atomic<Int>(0)
    /// From the last byte of a request to the answer.
    let latency = LatencyHistogram()
    /// Methods that were asked for.
    let methods = MethodCounters(.requests)

    func count(_ status: Int) {
        switch status {
        case ..<400: succeeded.add(1, ordering: .relaxed)
        case ..<500: clientErrors.add(1, ordering: .relaxed)
        default: serverErrors.add(1, ordering: .relaxed)
        }
    }
}
