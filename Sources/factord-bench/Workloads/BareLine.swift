import CYardstick
import LinuxSystem

/// Bare libzmq objects, closed when they go. Failures carry libzmq's own words.
private func failure(_ doing: String) -> BenchmarkError { BenchmarkError("\(doing): \(String(cString: yard_error()))") }

final class Pusher {
    private let push: OpaquePointer
    let endpoint: String
    /// - Parameter queue: messages that wait on this side at most, before a send waits.
    init(_ endpoint: String, queue: Int32 = 10_000) throws {
        guard let push = yard_push_connect(endpoint, queue) else { throw failure("connect to \(endpoint)") }
        self.push = push
        self.endpoint = endpoint
    }
    deinit { yard_push_close(push) }

    func send(_ messages: Messages) throws {
        guard yard_push_send(push, messages.frames.baseAddress, messages.frames.count) == 0 else { throw failure("send to \(endpoint)") }
    }
    func send(_ messages: Messages, message: Int) throws {
        let frames = messages.frames(of: message)
        guard yard_push_send(push, frames.baseAddress, frames.count) == 0 else { throw failure("send to \(endpoint)") }
    }
    func send(_ body: [UInt8]) throws {
        let result = body.withUnsafeBytes { bytes in
            var frame = yard_frame(data: bytes.baseAddress, size: bytes.count, more: 0)
            return yard_push_send(push, &frame, 1)
        }
        guard result == 0 else { throw failure("send to \(endpoint)") }
    }
}

final class Puller {
    private let pull: OpaquePointer
    private var expected: UInt64 = 0
    init(_ endpoint: String) throws {
        guard let pull = yard_pull_bind(endpoint, 10_000) else { throw failure("bind \(endpoint)") }
        self.pull = pull
    }
    deinit { yard_pull_close(pull) }

    /// Waits for so many messages more.
    func wait(more messages: Int) throws {
        expected += UInt64(messages)
        guard yard_pull_wait(pull, expected, 60) == 0 else { throw failure("receive \(messages) messages") }
    }
}

final class Echo {
    private let echo: OpaquePointer
    init(_ endpoint: String, replyBytes: Int) throws {
        guard let echo = yard_echo_bind(endpoint, replyBytes) else { throw failure("bind \(endpoint)") }
        self.echo = echo
    }
    deinit { yard_echo_close(echo) }
}

final class Asker {
    private let client: OpaquePointer
    private var buffer = [UInt8](repeating: 0, count: 1 << 16)
    private let endpoint: String
    init(_ endpoint: String) throws {
        guard let client = yard_client_connect(endpoint) else { throw failure("connect to \(endpoint)") }
        self.client = client
        self.endpoint = endpoint
    }
    deinit { yard_client_close(client) }

    /// Microseconds of a round trip; the answer stays in `reply` until the next.
    func ask(_ request: [UInt8]) throws -> Double {
        var size = 0
        let time = yard_client_ask(client, request, request.count, &buffer, buffer.count, &size)
        guard time >= 0 else { throw failure("ask \(endpoint)") }
        replyBytes = size
        return Double(time) / 1000
    }
    /// Asks many times with up to `window` requests under way; answers seconds.
    func pipeline(_ request: [UInt8], count: Int, window: Int = 256) throws -> Double {
        var size = 0
        let start = MonotonicClock.nanoseconds
        guard yard_client_pipeline(client, request, request.count, count, window, &buffer, buffer.count, &size) == 0 else { throw failure("ask \(endpoint)") }
        replyBytes = size
        return Double(MonotonicClock.nanoseconds - start) / 1e9
    }
    /// Asks and never reads.
    func flood(_ request: [UInt8], count: Int) throws {
        guard yard_client_flood(client, request, request.count, count) == 0 else { throw failure("ask \(endpoint)") }
    }
    private(set) var replyBytes = 0
    var reply: String { String(decoding: buffer.prefix(min(replyBytes, buffer.count)), as: UTF8.self) }
}

/// Plain connections on which nothing is said.
final class SilentConnections {
    private var descriptors: [Int32]
    var count: Int { descriptors.count }
    /// - Parameter port: of this machine.
    init(port: Int, count: Int) {
        descriptors = [Int32](repeating: -1, count: count)
        let made = yard_connect_many(Int32(port), count, &descriptors)
        descriptors.removeLast(count - made)
    }
    deinit { yard_close_many(descriptors, descriptors.count) }
}

/// A client of HTTP that makes a connection for each request.
struct HTTPAsker {
    let port: Int
    private let request: [UInt8]
    init(port: Int, method: String, _ body: String) {
        self.port = port
        request = Array("POST /v1/\(method) HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)".utf8)
    }

    /// Microseconds from connect to the end of the answer.
    func ask() throws -> Double {
        var buffer = [UInt8](repeating: 0, count: 1 << 14), size = 0
        let time = yard_http_ask(Int32(port), request, request.count, &buffer, buffer.count, &size)
        let answer = String(decoding: buffer.prefix(size), as: UTF8.self)
        guard time >= 0, answer.hasPrefix("HTTP/1.1 200") else { throw BenchmarkError("HTTP on port \(port) answers \(answer.prefix(200))") }
        return Double(time) / 1000
    }
}

final class Load {
    private let load: OpaquePointer
    private let messages: Messages
    /// Sends the messages again and again, all of them so many times a second.
    init(_ endpoint: String, _ messages: Messages, timesPerSecond: Double) throws {
        self.messages = messages
        guard let load = yard_load_start(endpoint, messages.frames.baseAddress, messages.frames.count, timesPerSecond) else {
            throw failure("connect to \(endpoint)")
        }
        self.load = load
    }
    deinit { yard_load_stop(load) }
}
