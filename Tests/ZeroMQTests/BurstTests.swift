import Testing
import ZeroMQ

/// Bursts of short messages, and what comes between them.
@Suite struct BurstTests {
    private func pair(_ name: String) throws -> (context: ZeroMQContext, push: ZeroMQSocket, pull: ZeroMQSocket) {
        let context = try ZeroMQContext()
        let pull = try ZeroMQSocket(context, .pull), push = try ZeroMQSocket(context, .push)
        try pull.bind("inproc://\(name)")
        try push.connect("inproc://\(name)")
        return (context, push, pull)
    }

    private func texts(_ burst: MessageBurst) -> [String] { burst.bodies.map { String(decoding: $0, as: UTF8.self) } }

    @Test func messagesOfSeveralFramesEndABurstInTheirPlace() throws {
        let (_, push, pull) = try pair("burst-order")
        for text in ["a", "b"] { _ = try push.send(text) }
        _ = try push.send([Array("c1".utf8), Array("c2".utf8), []])
        for text in ["d", ""] { _ = try push.send(text) }
        let burst = MessageBurst(), whole = MultipartMessage()
        guard case .message = try pull.receive(into: burst, or: whole) else { Issue.record("no message of several frames"); return }
        #expect(texts(burst) == ["a", "b"] && burst.bytes == 2)
        #expect((0..<whole.count).map { whole.string($0) } == ["c1", "c2", ""] && whole.receivedBytes == 4 && whole.receivedFrames == 3)
        guard case .nothing = try pull.receive(into: burst, or: whole) else { Issue.record("more than was sent"); return }
        #expect(texts(burst) == ["d", ""])
        guard case .nothing = try pull.receive(into: burst, or: whole) else { Issue.record("more than was sent"); return }
        #expect(burst.count == 0 && burst.bytes == 0)
    }

    @Test func aBurstIsBoundedInMessagesAndBytes() throws {
        let (_, push, pull) = try pair("burst-bounds")
        for number in 0..<10 { _ = try push.send("\(number)") }
        let few = MessageBurst(capacity: 4), whole = MultipartMessage()
        var seen: [String] = [], rounds: [Int] = []
        while case .full = try pull.receive(into: few, or: whole) {
            seen += texts(few)
            rounds.append(few.count)
        }
        #expect(seen + texts(few) == (0..<10).map { "\($0)" } && rounds == [4, 4] && few.count == 2)
        let long = String(repeating: "x", count: 300_000)
        for _ in 0..<3 { _ = try push.send(long) }
        let light = MessageBurst(byteLimit: 400_000)
        guard case .full = try pull.receive(into: light, or: whole) else { Issue.record("no end at the bound of bytes"); return }
        #expect(light.count == 2 && light.bytes == 600_000 && texts(light) == [long, long], "the one that reaches the bound is taken")
    }

    /// A message over the bounds of `MultipartMessage` is read to its end, and what comes after it is whole.
    @Test func aMessageWithTooManyFramesDoesNotSpoilTheNext() throws {
        let (_, push, pull) = try pair("burst-oversize")
        _ = try push.send("before")
        _ = try push.send([[UInt8]](repeating: [1], count: 5))
        _ = try push.send("after")
        let burst = MessageBurst(), whole = MultipartMessage(frameLimit: 3)
        guard case .oversize = try pull.receive(into: burst, or: whole) else { Issue.record("not found oversize"); return }
        #expect(texts(burst) == ["before"] && whole.count == 3 && whole.receivedFrames == 5)
        _ = try pull.receive(into: burst, or: whole)
        #expect(texts(burst) == ["after"])
    }
}
