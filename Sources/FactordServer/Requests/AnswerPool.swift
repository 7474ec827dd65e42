import LinuxSystem
import Synchronization
import WireFormats
import ZeroMQ

/// A request that is answered later, with its way back. Bytes of its own.
struct KeptRequest: Sendable {
    let envelope: Envelope
    /// Hash of the client's routing id.
    let client: UInt64
    let body: [UInt8]
    let frame: [UInt8]?
    /// `MonotonicClock`.
    let received: Int64
    /// Whether it goes to a thread of the pool.
    let isLong: Bool
}

/// Threads that answer what takes long, scans above all, so that short requests are not held up. Clients take turns.
///
/// Thread safety: `add`, `takeDone` and `stop` belong to the socket's thread.
final class AnswerPool: Sendable {
    /// What a thread came to; the bytes of a reply, and of the frame behind it.
    enum Outcome: Sendable {
        case reply([UInt8], frame: [UInt8]?)
        case silence
        case wait(position: UInt64, milliseconds: Int)
    }
    struct Done: Sendable {
        let request: KeptRequest
        let outcome: Outcome
    }

    private struct Queue {
        var requests = FairQueue<(request: KeptRequest, isFinal: Bool)>()
        var bytes = 0
    }
    private let queue = Lock(Queue())
    private let done = Lock<[Done]>([])
    private let doneCount = Atomic<Int>(0)
    private let isStopping = Atomic<Bool>(false)
    private let wakes: [EventDescriptor]
    private let threads: Lock<[SystemThread]> = Lock([])
    /// Signalled when something is done.
    private let finished: EventDescriptor

    /// Requests, and bytes of bodies, that may wait at once.
    static let countLimit = 4096, byteLimit = 64 << 20

    /// - Parameters:
    ///   - finished: the wake-up of the socket's thread.
    ///   - answerer: makes a thread's own, on that thread.
    init(threads count: Int, name: String, finished: EventDescriptor, answerer: @escaping @Sendable () -> RequestAnswerer) throws(SystemError) {
        self.finished = finished
        wakes = try (0..<count).map { _ throws(SystemError) in try EventDescriptor() }
        let started = try wakes.enumerated().map { index, wake throws(SystemError) in
            try SystemThread(name: "\(name)-\(index)", pulse: Pulse { wake.signal() }) { [self] in run(wake, answerer()) }
        }
        threads.withLock { $0 = started }
    }

    /// Takes a request; false where no more may wait.
    func add(_ request: KeptRequest, isFinal: Bool) -> Bool {
        let isTaken = queue.withLock { queue in
            guard queue.requests.count < AnswerPool.countLimit, queue.bytes + request.body.count <= AnswerPool.byteLimit else { return false }
            queue.requests.append((request, isFinal), of: request.client)
            queue.bytes += request.body.count
            return true
        }
        if isTaken { for wake in wakes { wake.signal() } }
        return isTaken
    }

    /// What has been answered since the last call.
    func takeDone() -> [Done] {
        guard doneCount.load(ordering: .acquiring) > 0 else { return [] }
        return done.withLock { done in
            doneCount.store(0, ordering: .relaxed)
            let all = done
            done.removeAll(keepingCapacity: true)
            return all
        }
    }

    /// Requests that wait for a thread.
    var count: Int { queue.withLock { $0.requests.count } }

    /// Ends the threads, each after the request in its hands.
    /// - Returns: the requests that nobody has begun.
    func stop() -> [KeptRequest] {
        isStopping.store(true, ordering: .releasing)
        for wake in wakes { wake.signal() }
        for thread in threads.withLock({ $0 }) { thread.join() }
        var rest: [KeptRequest] = []
        while let request = next() { rest.append(request.request) }
        return rest
    }

    private func next() -> (request: KeptRequest, isFinal: Bool)? {
        queue.withLock { queue in
            guard let next = queue.requests.next() else { return nil }
            queue.bytes -= next.request.body.count
            return next
        }
    }

    private func run(_ wake: EventDescriptor, _ answerer: RequestAnswerer) {
        while true {
            wake.wait()
            while !isStopping.load(ordering: .acquiring), let (request, isFinal) = next() {
                let outcome: Outcome = switch answerer.answer(request, isFinal: isFinal) {
                case .reply: .reply(Array(answerer.writer.bytes), frame: answerer.state.hasScores ? answerer.state.scores.withBytes { Array($0) } : nil)
                case .silence: .silence
                case .wait(let position, let milliseconds): .wait(position: position, milliseconds: milliseconds)
                }
                done.withLock {
                    $0.append(Done(request: request, outcome: outcome))
                    doneCount.add(1, ordering: .releasing)
                }
                finished.signal()
            }
            if isStopping.load(ordering: .acquiring) { return }
        }
    }
}
