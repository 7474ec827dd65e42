/// The way back to a client, kept for an answer that is given later. A value: it may go anywhere.
public struct Envelope: Hashable, Sendable {
    /// The routing id, and everything up to and with the delimiter where the client sent one.
    public let frames: [[UInt8]]

    /// The routing id: equal for all requests of one connection.
    public var client: [UInt8] { frames[0] }
}

extension MultipartMessage {
    /// A copy of the first `count` frames as the way back, for a caller that knows better than `envelopeCount` where they end.
    public func envelope(ofFirst count: Int) -> Envelope {
        precondition(count >= 1, "the way back begins with the routing id")
        return Envelope(frames: (0..<count).map { [UInt8](self[$0]) })
    }

    /// A copy of the way back; see `envelopeCount`.
    public var envelope: Envelope {
        precondition(count > 0, "an empty message has no envelope")
        return Envelope(frames: (0..<envelopeCount).map { [UInt8](self[$0]) })
    }
}

extension ZeroMQSocket {
    /// Answers a request that a ROUTER received: its envelope goes back as it came, and `body` after it, with
    /// `payload` as a second frame where given. Allocates nothing; never waits.
    ///
    /// The envelope is moved out of `request`: a request can be answered once. Its other frames stay readable.
    /// - Returns: `unreachable` or `wouldBlock` where the client is gone or reads too slowly. Then nothing was sent.
    public func reply(
        to request: MultipartMessage, _ body: UnsafeRawBufferPointer, payload: UnsafeRawBufferPointer? = nil
    ) throws(ZeroMQError) -> SendResult {
        let result = try address(request)
        return result == .sent ? try finish(body, payload) : result
    }

    /// Answers a request whose envelope was kept; otherwise as above.
    public func reply(
        to envelope: Envelope, _ body: UnsafeRawBufferPointer, payload: UnsafeRawBufferPointer? = nil
    ) throws(ZeroMQError) -> SendResult {
        let result = try address(envelope)
        return result == .sent ? try finish(body, payload) : result
    }

    /// Answers with the bytes of arrays; otherwise as above.
    public func reply(
        to request: MultipartMessage, _ body: [UInt8], payload: [UInt8]? = nil
    ) throws(ZeroMQError) -> SendResult {
        let result = try address(request)
        return result == .sent ? try finish(body, payload) : result
    }

    /// Answers with the bytes of arrays a request whose envelope was kept; otherwise as above.
    public func reply(
        to envelope: Envelope, _ body: [UInt8], payload: [UInt8]? = nil
    ) throws(ZeroMQError) -> SendResult {
        let result = try address(envelope)
        return result == .sent ? try finish(body, payload) : result
    }

    private func address(_ request: MultipartMessage) throws(ZeroMQError) -> SendResult {
        precondition(kind == .router, "only a router replies by envelope")
        for index in 0..<request.envelopeCount {
            let result = try send(movingFrame: index, of: request, more: true)
            // Only the first frame, the routing id, can fail: past it a ROUTER takes, or drops, the whole message.
            if result != .sent { return result }
        }
        return .sent
    }

    private func address(_ envelope: Envelope) throws(ZeroMQError) -> SendResult {
        precondition(kind == .router, "only a router replies by envelope")
        for frame in envelope.frames {
            let result = try send(frame, more: true)
            if result != .sent { return result }
        }
        return .sent
    }

    private func finish(
        _ body: UnsafeRawBufferPointer, _ payload: UnsafeRawBufferPointer?
    ) throws(ZeroMQError) -> SendResult {
        let result = try send(body, more: payload != nil)
        guard let payload else { return result }
        return try send(payload)
    }

    private func finish(_ body: [UInt8], _ payload: [UInt8]?) throws(ZeroMQError) -> SendResult {
        let result = try send(body, more: payload != nil)
        guard let payload else { return result }
        return try send(payload)
    }
}
