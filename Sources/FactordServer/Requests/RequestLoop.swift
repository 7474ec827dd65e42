import LinuxSystem
import Synchronization
import WireFormats
import ZeroMQ

/// What a reply socket's thread does, round after round. Belongs to that thread.
final class RequestLoop {
    private let socket: ZeroMQSocket
    private let monitor: SocketMonitor
    private let gate: PositionGate
    private let methods: any RequestMethods
    private let counters: RequestCounters
    private let maxBody: Int
    private let poller = ZeroMQPoller()
    private let wakeEntry: ZeroMQPoller.Entry
    private let message = MultipartMessage(frameLimit: 64, byteLimit: 64 << 20)
    private let parser: JSONParser
    private var writer = JSONWriter(capacity: 1 << 16)
    private let state = WaitState()
    private var parked: [Parked] = []

    /// A request that waits for a position.
    private struct Parked {
        let envelope: Envelope
        let body: [UInt8]
        let position: UInt64
        let deadline: Int64
        let received: Int64
    }

    /// Requests that may wait at once.
    private static let parkedLimit = 1024
    /// Requests, and nanoseconds, before the next look at deadlines and at the other clients: libzmq notices that a client
    /// has sent something only between turns, so one that pipelines long requests would hold up all others.
    private static let requestsPerTurn = 64
    private static let nanosecondsPerTurn: Int64 = 500_000

    init(
        socket: ZeroMQSocket, monitor: SocketMonitor, gate: PositionGate, methods: any RequestMethods,
        counters: RequestCounters, maxBody: Int
    ) {
        self.socket = socket
        self.monitor = monitor
        self.gate = gate
        self.methods = methods
        self.counters = counters
        self.maxBody = maxBody
        parser = JSONParser(maxBytes: maxBody)
        _ = poller.add(socket)
        wakeEntry = poller.add(gate.reached)
    }

    /// Answers until told to stop; who waits for a position then gets an answer at once.
    func run(until isStopping: borrowing Atomic<Bool>) throws(ZeroMQError) {
        while true {
            _ = try poller.wait(timeoutMilliseconds: timeout())
            if poller.isReadable(wakeEntry) { gate.reached.drain() }
            let stopping = isStopping.load(ordering: .acquiring)
            var turnEnd = Int64.max
            for _ in 0..<RequestLoop.requestsPerTurn {
                let result = try socket.receive(into: message, wait: false)
                let now = MonotonicClock.nanoseconds
                if result == .nothing { break }
                if turnEnd == .max { turnEnd = now + RequestLoop.nanosecondsPerTurn }
                try answer(received: now, isOversize: result == .oversize)
                if now >= turnEnd { break }
            }
            try answerParked(all: stopping)
            try monitor.drain()
            counters.disconnects.store(monitor.counters.disconnected, ordering: .relaxed)
            if stopping { return }
        }
    }

    /// Until the next deadline; half a second for the monitor's sake.
    private func timeout() -> Int {
        guard let next = parked.map(\.deadline).min() else { return 500 }
        return max(0, min(500, Int((next - MonotonicClock.nanoseconds + 999_999) / 1_000_000)))
    }

    private func answer(received: Int64, isOversize: Bool) throws(ZeroMQError) {
        let bodyIndex = message.envelopeCount
        guard !isOversize, bodyIndex < message.count else {
            return try refuse(.invalidRequest("more frames or bytes than a request may have"), received)
        }
        let body = message[bodyIndex]
        guard body.count <= maxBody else { return try refuse(.tooLarge(bytes: body.count, limit: maxBody), received) }
        state.isFinal = false
        let isDue = write(body)
        if let wanted = state.wanted {
            guard parked.count < RequestLoop.parkedLimit else {
                return try refuse(.busy("\(parked.count) requests wait for a position already"), received)
            }
            parked.append(
                Parked(
                    envelope: message.envelope, body: [UInt8](body), position: wanted.position,
                    deadline: received + Int64(wanted.milliseconds) * 1_000_000, received: received))
            return
        }
        guard isDue else { return }
        try finish(socket.reply(to: message, writer.bytes), received)
    }

    /// Writes the reply to a body; `state.wanted` says afterwards that it is to be asked again later.
    private func write(_ body: UnsafeRawBufferPointer) -> Bool {
        state.wanted = nil
        var errors = 0
        let isDue = JSONRPC.answer(body, with: parser, into: &writer, onError: { _ in errors += 1 }) {
            (request, writer) throws(JSONRPCError) in
            try methods.answer(request, waiting: state, into: &writer)
        }
        // What is asked again will be counted then.
        if state.wanted == nil { counters.errors.add(errors, ordering: .relaxed) }
        return isDue
    }

    private func answerParked(all: Bool) throws(ZeroMQError) {
        guard !parked.isEmpty else { return }
        let now = MonotonicClock.nanoseconds
        var waiting: [Parked] = []
        for request in parked {
            state.isFinal = all || now >= request.deadline
            let isDue = request.body.withUnsafeBytes { write($0) }
            if state.wanted != nil {
                waiting.append(request)
            } else if isDue {
                try finish(socket.reply(to: request.envelope, writer.bytes), request.received)
            }
        }
        parked = waiting
        guard let lowest = parked.map(\.position).min() else { return gate.clear() }
        gate.want(lowest)
        // The position may have been reached between the look above and this: then nobody signals any more.
        gate.check()
    }

    private func refuse(_ error: JSONRPCError, _ received: Int64) throws(ZeroMQError) {
        writer.reset()
        writer.reply(to: nil, error: error)
        counters.errors.add(1, ordering: .relaxed)
        try finish(socket.reply(to: message, writer.bytes), received)
    }

    private func finish(_ result: SendResult, _ received: Int64) throws(ZeroMQError) {
        counters.answered.add(1, ordering: .relaxed)
        if result != .sent { counters.dropped.add(1, ordering: .relaxed) }
        counters.record(microseconds: (MonotonicClock.nanoseconds - received) / 1000)
    }
}
