import Factorization
import LinuxSystem
import Logging
import Persistence
import Synchronization
import WireFormats
import ZeroMQ

/// What a receive thread does, round after round. Belongs to that thread; allocates nothing per message once warm.
final class ReceiveLoop {
    private let decoder: EventDecoder
    private let ingest: Ingest
    private let deadLetters: DeadLetterFile
    private let log: Logger
    private let poller = ZeroMQPoller()
    private let wakeUp: EventDescriptor
    private let wakeEntry: ZeroMQPoller.Entry
    private let batch = EventBatch()
    /// Messages of one frame, as many as wait up to its capacity.
    private let burst = MessageBurst()
    /// A message of several frames.
    private let message = MultipartMessage(frameLimit: 64, byteLimit: 64 << 20)
    /// The frames of the message in hand, as the decoder takes them.
    private let frames = UnsafeMutableBufferPointer<UnsafeRawBufferPointer>.allocate(capacity: 64)
    private var streams: [StreamSocket] = []
    private var nextSupervision: Int64 = 0
    /// Whether the last round brought a message.
    private var hasReceived = false

    /// Messages of one stream before the next one has its turn.
    private static let messagesPerTurn = 1024
    private static let supervisionNanoseconds: Int64 = 500_000_000

    init(decoder: EventDecoder, ingest: Ingest, deadLetters: DeadLetterFile, wakeUp: EventDescriptor, log: Logger) {
        self.decoder = decoder
        self.ingest = ingest
        self.deadLetters = deadLetters
        self.wakeUp = wakeUp
        self.log = log
        wakeEntry = poller.add(wakeUp)
    }

    deinit { frames.deallocate() }

    func add(_ stream: StreamSocket) {
        stream.entry = poller.add(stream.socket)
        streams.append(stream)
    }

    func handOver() { for stream in streams { stream.handOver() } }

    func close() { for stream in streams { stream.close() } }

    /// Reads until told to stop; what was received by then is passed on.
    func run(until isStopping: borrowing Atomic<Bool>) throws(ZeroMQError) {
        while !isStopping.load(ordering: .acquiring) {
            // While messages keep coming there is nothing to wait for.
            if !hasReceived {
                _ = try poller.wait(timeoutMilliseconds: 500)
                if poller.isReadable(wakeEntry) { wakeUp.drain() }
            }
            hasReceived = false
            for stream in streams { try receive(stream) }
            pass()
            if MonotonicClock.nanoseconds >= nextSupervision {
                nextSupervision = MonotonicClock.nanoseconds + ReceiveLoop.supervisionNanoseconds
                for stream in streams { try stream.supervise(poller) }
            }
        }
    }

    private func receive(_ stream: StreamSocket) throws(ZeroMQError) {
        var left = ReceiveLoop.messagesPerTurn
        while left > 0 {
            let end = try stream.socket.receive(into: burst, or: message)
            if end != .nothing || burst.count > 0 { hasReceived = true }
            if burst.count > 0 { decodeBurst(stream) }
            left -= burst.count + 1
            switch end {
            case .nothing: return
            case .full: break
            case .message: decodeFrames(stream)
            case .oversize:
                stream.counters.oversize.add(1, ordering: .relaxed)
                stream.counters.reject(.tooLarge)
                deadLetter(
                    stream, .tooLarge, "\(message.receivedFrames) frames of \(message.receivedBytes) bytes in all",
                    message.count > 0 ? message[0] : UnsafeRawBufferPointer(start: nil, count: 0))
            }
        }
    }

    /// Messages of one frame: plain events at one go, whatever lies between them the full way.
    private func decodeBurst(_ stream: StreamSocket) {
        stream.counters.messages.add(burst.count, ordering: .relaxed)
        stream.counters.bytes.add(burst.bytes, ordering: .relaxed)
        let bodies = burst.bodies
        var index = 0
        while true {
            let next = decoder.takePlain(bodies, from: index, stream: stream.index, into: batch)
            if next > index { stream.counters.records.add(next - index, ordering: .relaxed) }
            guard next < bodies.count else { return }
            decoder.begin(body: bodies[next], stream: stream.index)
            fill(stream)
            if decoder.rejectedCount > 0 { setAside(stream, body: bodies[next]) }
            index = next + 1
        }
    }

    /// The message of several frames in hand.
    private func decodeFrames(_ stream: StreamSocket) {
        for index in 0..<message.count { frames[index] = message[index] }
        stream.counters.messages.add(1, ordering: .relaxed)
        stream.counters.bytes.add(message.receivedBytes, ordering: .relaxed)
        let views = UnsafeBufferPointer(rebasing: frames[..<message.count])
        if let body = decoder.onlyBody(of: views, topic: stream.topicRule) {
            let plain = UnsafeBufferPointer(rebasing: views[body...body])
            if decoder.takePlain(plain, from: 0, stream: stream.index, into: batch) == 1 {
                stream.counters.records.add(1, ordering: .relaxed)
                return
            }
        }
        decoder.begin(frames: views, topic: stream.topicRule, stream: stream.index)
        fill(stream)
        if decoder.rejectedCount > 0 { setAside(stream, body: message[min(decoder.bodyFrame, message.count - 1)]) }
    }

    /// All records of the message that the decoder has in hand; a full batch is passed on.
    private func fill(_ stream: StreamSocket) {
        while true {
            let before = batch.recordCount
            let isDone = decoder.fill(batch)
            stream.counters.records.add(batch.recordCount - before, ordering: .relaxed)
            if isDone { return }
            pass()
        }
    }

    /// Hands the batch to the sequencer and starts the next.
    private func pass() {
        guard batch.recordCount > 0 || batch.messageCount > 0 else { return }
        for (record, reason) in ingest.take(batch) { setAside(record, reason) }
        batch.reset()
    }

    /// The decoder keeps a bounded number of rejections; the rest is counted under the last reason kept.
    private func setAside(_ stream: StreamSocket, body: UnsafeRawBufferPointer) {
        for rejection in decoder.rejections {
            stream.counters.reject(rejection.reason)
            let range = rejection.bodyRange.clamped(to: 0..<body.count)
            deadLetter(stream, rejection.reason, rejection.detail, UnsafeRawBufferPointer(rebasing: body[range]))
        }
        let more = decoder.rejectedCount - decoder.rejections.count
        if more > 0, let last = decoder.rejections.last { stream.counters.reject(last.reason, count: UInt64(more)) }
    }

    private func deadLetter(
        _ stream: StreamSocket, _ reason: RejectionReason, _ detail: String, _ payload: UnsafeRawBufferPointer
    ) {
        deadLetters.append(
            timeMilliseconds: WallClock.milliseconds, stream: stream.stream.name, reason: reason.rawValue, detail: detail,
            payload: payload)
    }

    /// A record that decoded well and was refused by the sequencer: its ids are what is left of it.
    private func setAside(_ index: Int, _ reason: Sequencer.Refusal) {
        let record = batch.records[index]
        // The last message that begins at or before the record holds it: messages stand in the order of their records.
        let message = batch.messages.last { $0.firstRecord <= index }
        let stream = streams.first { $0.index == message?.stream }
        func text(_ key: Key) -> String {
            key.isText ? String(decoding: key.text, as: UTF8.self) : "\(Int64(bitPattern: key.payload))"
        }
        let detail = "user \(text(record.user)), item \(text(record.item)), type \(String(decoding: batch.text(record.type), as: UTF8.self))"
        deadLetters.append(
            timeMilliseconds: WallClock.milliseconds, stream: stream?.stream.name ?? "", reason: reason.rawValue, detail: detail,
            payload: UnsafeRawBufferPointer(start: nil, count: 0))
    }
}
