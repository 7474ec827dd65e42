import CYardstick

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
    private(set) var replyBytes = 0
    var reply: String { String(decoding: buffer.prefix(min(replyBytes, buffer.count)), as: UTF8.self) }
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
