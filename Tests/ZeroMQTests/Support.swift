import Foundation
import LinuxSystem
import Synchronization
import Testing
import ZeroMQ

/// A folder of its own for a test's sockets; removed at the end.
final class ScratchFolder: Sendable {
    let path: String

    init() throws {
        // Short, because a socket path has at most 107 bytes.
        path = NSTemporaryDirectory() + "zmq-\(UUID().uuidString.prefix(8))"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit {
        try? FileManager.default.removeItem(atPath: path)
    }

    func endpoint(_ name: String) -> String { "ipc://\(path)/\(name)" }
}

/// Every transport once, with something to bind to.
func eachTransport(_ body: (String) throws -> Void) throws {
    let folder = try ScratchFolder()
    for endpoint in ["inproc://test", "tcp://127.0.0.1:*", folder.endpoint("test")] { try body(endpoint) }
}

/// Waits for input: a failure, not a hang, where none comes.
func expectInput(_ socket: ZeroMQSocket, sourceLocation: SourceLocation = #_sourceLocation) throws {
    let poller = ZeroMQPoller()
    poller.add(socket)
    try #require(try poller.wait(timeoutMilliseconds: 20_000) == 1, "no message came", sourceLocation: sourceLocation)
}

func receiveString(_ socket: ZeroMQSocket, sourceLocation: SourceLocation = #_sourceLocation) throws -> String {
    try expectInput(socket, sourceLocation: sourceLocation)
    let message = ZeroMQMessage()
    #expect(try socket.receive(into: message, wait: false), sourceLocation: sourceLocation)
    return message.string
}

func receiveStrings(_ socket: ZeroMQSocket, sourceLocation: SourceLocation = #_sourceLocation) throws -> [String] {
    try expectInput(socket, sourceLocation: sourceLocation)
    let message = MultipartMessage()
    #expect(try socket.receive(into: message, wait: false) == .message, sourceLocation: sourceLocation)
    return (0..<message.count).map { message.string($0) }
}

/// Looks until `condition` holds; a failure after twenty seconds.
func eventually(sourceLocation: SourceLocation = #_sourceLocation, _ condition: () throws -> Bool) throws {
    let deadline = MonotonicClock.nanoseconds + 20_000_000_000
    while try !condition() {
        try #require(MonotonicClock.nanoseconds < deadline, "it never came true", sourceLocation: sourceLocation)
        usleep(2000)
    }
}

func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }
