import LinuxSystem
import WireFormats

/// The methods of one socket. Belongs to the thread that answers.
protocol RequestMethods: AnyObject {
    /// Answers one request by writing one JSON value.
    /// - Parameter waiting: says whether the request may still wait for a position, or has waited long enough; and what came
    ///   beside its body.
    func answer(
        _ request: JSONRPCRequest, waiting: WaitState, into writer: inout JSONWriter
    ) throws(JSONRPCError)
}

/// What is known of a request beside its body, and what its answer has beside its own. Belongs to the thread that answers.
final class WaitState {
    /// Whether this is the last look: answer now, with `"late": true` where the position is not reached.
    var isFinal = false
    /// Set by a method that wants to wait: until this position, at most this long.
    var wanted: (position: UInt64, milliseconds: Int)?
    /// When the request was read, `MonotonicClock`.
    var received: Int64 = 0
    /// The frame behind the body, where there is one.
    var items: ItemsFrame?
    /// The frame behind the answer, where the method sets `hasScores`.
    var scores = ScoresFrame()
    var hasScores = false

    var ageMilliseconds: Double { Double(MonotonicClock.nanoseconds - received) / 1e6 }

    /// Makes ready for a request.
    func start(received: Int64, isFinal: Bool, items: ItemsFrame?) {
        self.isFinal = isFinal
        self.received = received
        self.items = items
        wanted = nil
        if hasScores { scores.removeAll() }
        hasScores = false
    }
}
