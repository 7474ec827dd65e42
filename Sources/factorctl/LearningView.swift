import StreamTools

/// Shows how the daemon learns while a stream is sent to it: after each tenth it waits until the daemon has applied what
/// was sent, and prints the metrics' recent values.
struct LearningView {
    private static let parts = 10

    private let client: RequestClient
    private let receivedBefore: Int
    private var curve = LearningCurve(parts: LearningView.parts)
    private var shown = 0

    /// - Parameter client: where `stats` is asked for.
    init(asking client: RequestClient) throws {
        self.client = client
        receivedBefore = try client.receivedRecords()
    }

    /// Whether another part of the stream is full.
    func isDue(fraction: Double) -> Bool { Int(fraction * Double(LearningView.parts)) > shown }

    /// Waits for the daemon and prints a line.
    /// - Parameter events: sent so far; all of them must have left the publisher.
    mutating func show(events: Int, fraction: Double) throws {
        shown = Int(fraction * Double(LearningView.parts))
        guard let stats = try client.waitUntilIdle(received: receivedBefore + events) else {
            return note("the daemon has not learned all of it within 30 s; going on")
        }
        if let line = curve.line(events: events, stats) { say(line) }
    }
}
