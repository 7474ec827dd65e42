import Synchronization

/// What a reply socket did. Written by its thread, read by anyone.
final class RequestCounters: Sendable {
    /// Why a request was not answered but told to come again, or to stay away.
    enum Refusal: Int, CaseIterable, Sendable {
        /// Over the limit of one client's requests in flight; over its rate.
        case inFlight, rate
        /// Too many wait for a position, or for a thread.
        case waiting, queue
        /// Its deadline had passed.
        case deadline
        /// Over a limit of bytes or frames.
        case size

        var name: StaticString {
            switch self {
            case .inFlight: "in_flight"
            case .rate: "rate"
            case .waiting: "waiting"
            case .queue: "queue"
            case .deadline: "deadline"
            case .size: "size"
            }
        }
    }

    /// Bodies answered, and those among them that were an error as a whole or a part.
    let answered = Atomic<Int>(0)
    let errors = Atomic<Int>(0)
    /// Replies that a client did not take: it was gone, or its queue was full.
    let dropped = Atomic<Int>(0)
    let disconnects = Atomic<Int>(0)
    /// Connections that could not be taken for want of descriptors, and that did not introduce themselves in time or form.
    let acceptFailed = Atomic<Int>(0)
    let handshakeFailures = Atomic<Int>(0)
    /// Requests that wait for a position now, and for a thread.
    let waiting = Atomic<Int>(0)
    let queued = Atomic<Int>(0)
    /// Microseconds from receipt to reply.
    let latency = LatencyHistogram()
    /// By method.
    let methods: MethodCounters
    private let refused = (0..<Refusal.allCases.count).map { _ in Counter() }

    private final class Counter: Sendable { let value = Atomic<Int>(0) }

    init(_ place: MethodDescription.Place) { methods = MethodCounters(place) }

    func refuse(_ reason: Refusal) { refused[reason.rawValue].value.add(1, ordering: .relaxed) }
    func refusals(_ reason: Refusal) -> Int { refused[reason.rawValue].value.load(ordering: .relaxed) }
}
