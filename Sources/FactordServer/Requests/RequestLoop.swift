import LinuxSystem
import Synchronization
import WireFormats
import ZeroMQ

/// What a reply socket's thread does, round after round. Belongs to that thread.
///
/// It reads what waits, answers what is short, and hands on what is long; what waits for a position stands aside.
final class RequestLoop {
    private let socket: ZeroMQSocket
    private let monitor: SocketMonitor
    private let gate: PositionGate
    private let counters: RequestCounters
    private let limits: RequestLimits
    let answerer: RequestAnswerer
    /// Nil where the socket's own thread answers everything.
    private let pool: AnswerPool?
    private let poller = ZeroMQPoller()
    private let wakeEntry: ZeroMQPoller.Entry

    /// Requests that were read and not yet answered: a ring of `ringSize` from `first` on.
    private let ring: [MultipartMessage]
    private var times: [Int64]
    private var first = 0, count = 0
    /// Bytes of the messages in the ring.
    private var held = 0

    private var parked: [Parked] = []
    private var accounts: ClientAccounts
    private var nextLook: Int64 = 0
    /// Whether connections could not be taken since the last look. libzmq tries again at once, without end, and tells of each
    /// time: those words must not gather.
    private var isShortOfDescriptors = false

    /// A request that waits for a position.
    private struct Parked {
        let request: KeptRequest
        let position: UInt64
        let deadline: Int64
    }

    /// Requests that may wait for a position at once.
    private static let parkedLimit = 16_384
    private static let ringSize = 128, heldLimit = 16 << 20
    /// Nanoseconds before the next look at the socket, at deadlines and at what is done elsewhere.
    private static let nanosecondsPerTurn: Int64 = 500_000
    /// A body beyond is long, whatever its method.
    private static let shortBody = 16 << 10
    /// Between two looks at what happened to connections.
    private static let lookInterval: Int64 = 100_000_000

    init(
        socket: ZeroMQSocket, monitor: SocketMonitor, gate: PositionGate, answerer: RequestAnswerer, pool: AnswerPool?,
        counters: RequestCounters, limits: RequestLimits
    ) {
        self.socket = socket
        self.monitor = monitor
        self.gate = gate
        self.answerer = answerer
        self.pool = pool
        self.counters = counters
        self.limits = limits
        ring = (0..<RequestLoop.ringSize).map { _ in MultipartMessage(frameLimit: 64, byteLimit: 64 << 20) }
        times = [Int64](repeating: 0, count: RequestLoop.ringSize)
        accounts = ClientAccounts(limits)
        _ = poller.add(socket)
        wakeEntry = poller.add(gate.reached)
    }

    /// Answers until told to stop; who waits for a position then gets an answer at once.
    func run(on thread: ServiceThread) throws(ZeroMQError) {
        while true {
            if count == 0 {
                _ = try poller.wait(timeoutMilliseconds: timeout())
                if poller.isReadable(wakeEntry) { gate.reached.drain() }
            }
            let isLast = thread.isStopping
            if count == 0 {
                // Answered before the next is looked for, so that who asks alone does not wait for the look.
                try read(atMost: 1)
                try answerRead(all: isLast)
            }
            try read(atMost: RequestLoop.ringSize)
            try answerRead(all: isLast)
            try finishDone()
            if isLast { try finishQueued() }
            try answerParked(all: isLast)
            try look(now: MonotonicClock.nanoseconds, always: isLast)
            if isLast { return }
        }
    }

    /// Until the next deadline; half a second for the monitor's sake.
    private func timeout() -> Int {
        var next = Int64.max
        for request in parked { next = min(next, request.deadline) }
        let longest = isShortOfDescriptors ? 20 : 500
        guard next != .max else { return longest }
        return max(0, min(longest, Int((next - MonotonicClock.nanoseconds + 999_999) / 1_000_000)))
    }

    /// Reads what waits, as far as there is room.
    private func read(atMost limit: Int) throws(ZeroMQError) {
        while count < limit, held < RequestLoop.heldLimit {
            let place = (first + count) & (RequestLoop.ringSize - 1)
            guard try socket.receive(into: ring[place], wait: false) != .nothing else { return }
            times[place] = MonotonicClock.nanoseconds
            held += ring[place].receivedBytes
            count += 1
        }
    }

    /// Answers what was read, for as long as a turn takes.
    private func answerRead(all: Bool) throws(ZeroMQError) {
        guard count > 0 else { return }
        let end = MonotonicClock.nanoseconds + RequestLoop.nanosecondsPerTurn
        while count > 0 {
            let message = ring[first], received = times[first]
            held -= message.receivedBytes
            first = (first + 1) & (RequestLoop.ringSize - 1)
            count -= 1
            let now = try answer(message, received)
            // What is long gives its memory back now and not when the ring has come round.
            if message.receivedBytes > 64 << 10 { message.removeAll() }
            if now >= end, !all { return }
        }
    }

    /// - Returns: the time afterwards.
    private func answer(_ message: MultipartMessage, _ received: Int64) throws(ZeroMQError) -> Int64 {
        let bodyIndex = message.envelopeCount
        guard !message.isOversize, bodyIndex < message.count, message.count - bodyIndex <= 2 else {
            counters.refuse(.size)
            answerer.refuse(.invalidRequest("more frames or bytes than a request may have"))
            return try reply(to: message, received)
        }
        let body = message[bodyIndex], frame = message.count - bodyIndex == 2 ? message[bodyIndex + 1] : nil
        let bytes = body.count + (frame?.count ?? 0)
        guard bytes <= limits.maxBody else {
            counters.refuse(.size)
            answerer.refuse(.tooLarge(bytes: bytes, limit: limits.maxBody))
            return try reply(to: message, received)
        }
        guard let parsed = answerer.parse(body) else { return try reply(to: message, received) }
        if limits.rate > 0, !accounts.admits(RequestLoop.client(message), at: received) {
            return try refuse(message, parsed, .rate, "more than \(limits.rate) requests a second", received)
        }
        if pool != nil, RequestLoop.isLong(parsed, bytes: bytes) {
            let request = kept(message, bodyIndex, isLong: true, received)
            guard accounts.begin(request.client) else { return try refuseInFlight(message, parsed, received) }
            guard pool?.add(request, isFinal: false) == true else {
                accounts.end(request.client)
                return try refuse(message, parsed, .queue, "\(pool?.count ?? 0) requests wait for a thread already", received)
            }
            return MonotonicClock.nanoseconds
        }
        switch answerer.answer(parsed, received: received, isFinal: false, frame: frame) {
        case .reply: return try reply(to: message, received)
        case .silence: return MonotonicClock.nanoseconds
        case .wait(let position, let milliseconds):
            guard parked.count < RequestLoop.parkedLimit else {
                return try refuse(message, parsed, .waiting, "\(parked.count) requests wait for a position already", received)
            }
            let request = kept(message, bodyIndex, isLong: false, received)
            guard accounts.begin(request.client) else { return try refuseInFlight(message, parsed, received) }
            park(request, position, milliseconds)
            return MonotonicClock.nanoseconds
        }
    }

    /// Whether a body goes to the pool: all but one short `score` or `ping`.
    private static func isLong(_ body: JSONRPCBody, bytes: Int) -> Bool {
        guard bytes <= shortBody, case .single(let element) = body else { return true }
        guard case .request(let request) = element else { return false }
        return !request.method.equals("score") && !request.method.equals("ping")
    }

    /// Tells clients apart (FNV-1a of the routing id).
    private static func client(_ message: MultipartMessage) -> UInt64 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in message[0] { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        return hash
    }

    private func kept(_ message: MultipartMessage, _ bodyIndex: Int, isLong: Bool, _ received: Int64) -> KeptRequest {
        KeptRequest(
            envelope: message.envelope, client: RequestLoop.client(message), body: [UInt8](message[bodyIndex]),
            frame: message.count - bodyIndex == 2 ? [UInt8](message[bodyIndex + 1]) : nil, received: received, isLong: isLong)
    }

    // MARK: What is answered later

    private func park(_ request: KeptRequest, _ position: UInt64, _ milliseconds: Int) {
        parked.append(Parked(request: request, position: position, deadline: request.received + Int64(milliseconds) * 1_000_000))
        counters.waiting.store(parked.count, ordering: .relaxed)
    }

    /// Sends what the pool has answered.
    private func finishDone() throws(ZeroMQError) {
        guard let pool else { return }
        for done in pool.takeDone() {
            switch done.outcome {
            case .wait(let position, let milliseconds):
                guard parked.count < RequestLoop.parkedLimit else {
                    counters.refuse(.waiting)
                    answerer.refuse(.busy("\(parked.count) requests wait for a position already"))
                    try end(done.request)
                    continue
                }
                park(done.request, position, milliseconds)
            case .silence: accounts.end(done.request.client)
            case .reply(let body, let frame):
                accounts.end(done.request.client)
                finish(try socket.reply(to: done.request.envelope, body, payload: frame), done.request.received)
            }
        }
        counters.queued.store(pool.count, ordering: .relaxed)
    }

    /// At the stop: ends the pool, and tells those that it has not come to.
    private func finishQueued() throws(ZeroMQError) {
        guard let pool else { return }
        let rest = pool.stop()
        try finishDone()
        for request in rest {
            answerer.refuse(.notAvailable("the daemon stops"))
            try end(request)
        }
    }

    private func answerParked(all: Bool) throws(ZeroMQError) {
        guard !parked.isEmpty else { return }
        let now = MonotonicClock.nanoseconds, position = gate.position
        var waiting: [Parked] = []
        for entry in parked {
            let isOver = all || now >= entry.deadline
            guard isOver || position >= entry.position else {
                waiting.append(entry)
                continue
            }
            if entry.request.isLong, !all, pool?.add(entry.request, isFinal: isOver) == true { continue }
            switch answerer.answer(entry.request, isFinal: isOver) {
            case .reply: try end(entry.request)
            case .silence: accounts.end(entry.request.client)
            case .wait: waiting.append(entry)
            }
        }
        parked = waiting
        counters.waiting.store(parked.count, ordering: .relaxed)
        guard !parked.isEmpty else { return gate.clear() }
        var lowest = UInt64.max
        for entry in parked { lowest = min(lowest, entry.position) }
        gate.want(lowest)
        // The position may have been reached between the look above and this: then nobody signals any more.
        gate.check()
    }

    // MARK: Replies

    /// Sends what the answerer has written.
    private func reply(to message: MultipartMessage, _ received: Int64) throws(ZeroMQError) -> Int64 {
        let state = answerer.state
        let result = state.hasScores
            ? try state.scores.withBytes { frame throws(ZeroMQError) in try socket.reply(to: message, answerer.writer.bytes, payload: frame) }
            : try socket.reply(to: message, answerer.writer.bytes)
        return finish(result, received)
    }

    /// Sends what the answerer has written to a request that was under way.
    private func end(_ request: KeptRequest) throws(ZeroMQError) {
        let state = answerer.state
        accounts.end(request.client)
        let result = state.hasScores
            ? try state.scores.withBytes { frame throws(ZeroMQError) in try socket.reply(to: request.envelope, answerer.writer.bytes, payload: frame) }
            : try socket.reply(to: request.envelope, answerer.writer.bytes)
        finish(result, request.received)
    }

    private func refuse(
        _ message: MultipartMessage, _ parsed: JSONRPCBody, _ reason: RequestCounters.Refusal, _ detail: String, _ received: Int64
    ) throws(ZeroMQError) -> Int64 {
        counters.refuse(reason)
        answerer.refuse(.busy(detail), to: parsed)
        return try reply(to: message, received)
    }

    private func refuseInFlight(_ message: MultipartMessage, _ parsed: JSONRPCBody, _ received: Int64) throws(ZeroMQError) -> Int64 {
        try refuse(message, parsed, .inFlight, "\(limits.inFlight) requests of this client are under way", received)
    }

    @discardableResult
    private func finish(_ result: SendResult, _ received: Int64) -> Int64 {
        let now = MonotonicClock.nanoseconds
        counters.answered.add(1, ordering: .relaxed)
        if result != .sent { counters.dropped.add(1, ordering: .relaxed) }
        counters.latency.record(microseconds: (now - received) / 1000)
        return now
    }

    /// Looks at what happened to connections, now and then: events wait meanwhile, in memory.
    private func look(now: Int64, always: Bool) throws(ZeroMQError) {
        guard now >= nextLook || always else { return }
        try monitor.drain()
        isShortOfDescriptors = monitor.counters.acceptFailed > counters.acceptFailed.load(ordering: .relaxed)
        nextLook = now + RequestLoop.lookInterval / (isShortOfDescriptors ? 5 : 1)
        counters.disconnects.store(monitor.counters.disconnected, ordering: .relaxed)
        counters.acceptFailed.store(monitor.counters.acceptFailed, ordering: .relaxed)
        counters.handshakeFailures.store(monitor.counters.handshakeFailures, ordering: .relaxed)
    }
}
