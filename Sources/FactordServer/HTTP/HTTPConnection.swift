import LinuxSystem

/// One connection of the HTTP side: what has come of a request, and what is still to be sent. Belongs to the HTTP thread.
///
/// A request has until its deadline to arrive whole, however often a byte of it comes, and an answer to be taken.
final class HTTPConnection {
    enum Phase: Equatable {
        /// A request is awaited, or arrives.
        case reading
        /// A whole request waits for a position.
        case waiting(UInt64)
        /// An answer goes out.
        case writing
        /// The answer has gone, and the end of what the client sends is awaited: a close before would cut the answer off.
        case ending
        case closed
    }

    let stream: StreamConnection
    private(set) var phase = Phase.reading
    /// When the present phase ends, `MonotonicClock`.
    private(set) var deadline: Int64
    /// Since when it has been silent: accepted, or its last answer taken.
    private(set) var since: Int64
    /// The request that has arrived, while it is answered.
    private(set) var request: HTTPRequest?
    private var input: [UInt8] = []
    /// Bytes of `input` in which no head ends.
    private var scanned = 0
    private var output: [UInt8] = []
    private var sent = 0
    private var staysOpen = true
    private let settings: Configuration.HTTP
    private let maxBody: Int

    init(_ stream: StreamConnection, now: Int64, settings: Configuration.HTTP, maxBody: Int) {
        self.stream = stream
        self.settings = settings
        self.maxBody = maxBody
        since = now
        deadline = now + settings.timeout.nanoseconds
    }

    var wantsToRead: Bool { phase == .reading || phase == .ending }
    var wantsToWrite: Bool { phase == .writing || sent < output.count }
    /// Whether nothing is owed to the client: such a connection may make room for another.
    var isSilent: Bool { phase == .reading || phase == .ending }
    /// The body of the request in hand.
    var body: ArraySlice<UInt8> { input[..<(request?.contentLength ?? 0)] }

    /// Takes what has come.
    /// - Returns: whether a whole request is in hand now.
    func read(now: Int64) throws(HTTPRefusal) -> Bool {
        if phase == .ending {
            input.removeAll(keepingCapacity: true)
            if stream.read(appendingTo: &input, atMost: 16 << 10) == .ended { phase = .closed }
            return false
        }
        let wasIdle = input.isEmpty
        switch stream.read(appendingTo: &input, atMost: room) {
        case .wouldBlock: return false
        case .ended:
            phase = .closed
            return false
        case .bytes:
            // The time for a request counts from its first byte.
            if wasIdle { deadline = min(deadline, now + settings.timeout.nanoseconds) }
            return try advance()
        }
    }

    /// What the present request may still bring, and a little of the next.
    private var room: Int { request.map { max(1, $0.contentLength - input.count) } ?? HTTPRequest.headLimit + 4 }

    /// Whether a whole request is in hand. A head that is complete is taken off the input.
    func advance() throws(HTTPRefusal) -> Bool {
        if request == nil {
            guard let end = endOfHead() else {
                guard input.count <= HTTPRequest.headLimit else { throw HTTPRefusal(431, "a head of over \(HTTPRequest.headLimit) bytes") }
                return false
            }
            guard end <= HTTPRequest.headLimit else { throw HTTPRefusal(431, "a head of over \(HTTPRequest.headLimit) bytes") }
            let read = try HTTPRequest.read(input[..<end])
            input.removeFirst(end + 4)
            scanned = 0
            guard read.contentLength <= maxBody else { throw HTTPRefusal(413, "a body of \(read.contentLength) bytes; the limit is \(maxBody)") }
            request = read
            if read.expectsContinue, input.count < read.contentLength { send(Array("HTTP/1.1 100 Continue\r\n\r\n".utf8)) }
        }
        return input.count >= (request?.contentLength ?? 0)
    }

    /// Where the head ends, as the place of its empty line.
    private func endOfHead() -> Int? {
        // A client may send an empty line before a request (RFC 9112, 2.2).
        var place = max(scanned, 3)
        defer { scanned = max(scanned, input.count) }
        while place < input.count {
            if input[place] == 0x0A, input[place - 1] == 0x0D, input[place - 2] == 0x0A, input[place - 3] == 0x0D { return place - 3 }
            place += 1
        }
        return nil
    }

    /// The request is to be asked again at a position.
    func wait(for position: UInt64, until deadline: Int64) {
        if case .waiting = phase {} else { self.deadline = deadline }
        phase = .waiting(position)
    }

    /// Sends an answer to the request in hand, or to what was refused as one.
    func answer(_ response: HTTPResponse, isLast: Bool, now: Int64) {
        staysOpen = !isLast && request?.isKeptAlive == true
        let bytes = response.bytes(isHead: request?.method == "HEAD", isLast: !staysOpen)
        input.removeFirst(min(request?.contentLength ?? 0, input.count))
        request = nil
        phase = .writing
        deadline = now + settings.timeout.nanoseconds
        send(bytes)
        finish(now)
    }

    private func send(_ bytes: [UInt8]) {
        output.append(contentsOf: bytes)
        write()
    }

    private func write() {
        while sent < output.count {
            switch stream.write(output, from: sent) {
            case .bytes(let count): sent += count
            case .wouldBlock: return
            case .ended:
                phase = .closed
                return
            }
        }
        output.removeAll(keepingCapacity: output.capacity <= 64 << 10)
        sent = 0
    }

    /// Goes on sending. When all is sent, the next request is awaited.
    func write(now: Int64) {
        write()
        finish(now)
    }

    private func finish(_ now: Int64) {
        guard phase == .writing, output.isEmpty else { return }
        since = now
        if staysOpen {
            phase = .reading
            deadline = now + settings.idle.nanoseconds
        } else {
            stream.finishWriting()
            phase = .ending
            deadline = now + 1_000_000_000
            input.removeAll()
        }
    }

    /// Whether another request may be in hand already: one that came with the last.
    var hasMore: Bool { phase == .reading && !input.isEmpty }

    func close() { phase = .closed }
}
