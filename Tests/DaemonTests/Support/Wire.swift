import StreamTools
import WireFormats
import ZeroMQ

extension ZeroMQSocket {
    /// Sends a message of text frames within a bounded time.
    func deliver(_ frames: String...) throws { try deliver(frames.map { Array($0.utf8) }) }

    func deliver(_ frames: [[UInt8]], seconds: Double = 60) throws {
        guard try eventually(seconds: seconds, { try send(frames, wait: false) == .sent }) else {
            throw Unexpected("a message could not be sent for \(seconds) s")
        }
    }

    /// The next message as text frames; nil when none comes in time.
    func next(seconds: Double = 30) throws -> [String]? {
        let message = MultipartMessage(frameLimit: 8, byteLimit: 64 << 20)
        let poller = ZeroMQPoller()
        poller.add(self)
        return try eventually(seconds: seconds) { () -> [String]? in
            _ = try poller.wait(timeoutMilliseconds: 50)
            guard try receive(into: message, wait: false) == .message else { return nil }
            return (0..<message.count).map { message.string($0) }
        }
    }
}

/// A client that sends what it is told and no more: a DEALER (or REQ) without any help.
final class RawClient {
    let socket: ZeroMQSocket
    private let isDealer: Bool

    init(_ kind: ZeroMQSocket.Kind = .dealer, to endpoint: String, _ context: ZeroMQContext, options: SocketOptions = .client) throws {
        isDealer = kind == .dealer
        socket = try ZeroMQSocket(context, kind, options: options)
        try socket.connect(endpoint)
    }

    func send(_ body: String) throws {
        try socket.deliver(isDealer ? [[], Array(body.utf8)] : [Array(body.utf8)])
    }

    /// The next answer's body; nil when none comes in time.
    func answer(seconds: Double = 30) throws -> JSONTree? { try socket.next(seconds: seconds)?.last.map(parsed) }

    func ask(_ body: String) throws -> JSONTree {
        try send(body)
        guard let answer = try answer() else { throw Unexpected("no answer to \(body.prefix(200))") }
        return answer
    }
}

/// Reads JSON text.
func parsed(_ text: String) throws -> JSONTree {
    let bytes = Array(text.utf8)
    let parser = JSONParser(maxBytes: 64 << 20)
    return try bytes.withUnsafeBytes { JSONTree(try parser.parse($0)) }
}

/// Events as JSON: user and item by number, so that a test can foresee all of them.
func eventsJSON(_ range: Range<Int>, users: Int = 50, items: Int = 80) -> String {
    "[" + range.map { #"{"user":"u\#($0 % users)","item":"i\#(($0 &* 7 &+ $0 / users) % items)"}"# }.joined(separator: ",") + "]"
}

/// A columnar message of events with integer ids.
func columnarFrames(_ range: Range<Int>, users: Int = 500, items: Int = 800) -> [[UInt8]] {
    func column(_ value: (Int) -> Int) -> [UInt8] { range.flatMap { index in littleEndian(Int64(value(index))) } }
    let header = #"{"columns":[["user","<i8"],["item","<i8"]],"count":\#(range.count)}"#
    return [Array(header.utf8), column { $0 % users }, column { ($0 &* 31) % items }]
}

private func littleEndian(_ value: Int64) -> [UInt8] {
    (0..<8).map { UInt8(truncatingIfNeeded: value >> ($0 * 8)) }
}
