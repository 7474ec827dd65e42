import Factorization
import LinuxSystem
import Logging
import Persistence
import Synchronization
import WireFormats
import ZeroMQ

/// What a receive thread does, round after round. Belongs to that thread; allocates nothing per message once warm.
final class ReceiveLoop {
    let decoder: EventDecoder
    let ingest: Ingest
    /// Nil where there is none.
    let journal: JournalKeeper?
    /// Ranks some events before they are learned.
    let probe: RankingProbe
    private let deadLetters: DeadLetterFile
    private let log: Logger
    private let poller = ZeroMQPoller()
    private let wakeUp: EventDescriptor
    private let wakeEntry: ZeroMQPoller.Entry
    let batch = EventBatch()
    /// Messages of one frame, as many as wait up to its capacity.
    private let burst = MessageBurst()
    /// A message of several frames.
    let message = MultipartMessage(frameLimit: 64, byteLimit: 64 << 20)
    /// The frames of the message in hand, as the decoder takes them.
    let frames = UnsafeMutableBufferPointer<UnsafeRawBufferPointer>.allocate(capacity: 64)
    private var streams: [StreamSocket] = []
    private var nextSupervision: Int64 = 0
    /// Whether the last round brought a message.
    var hasReceived = false
    /// What acknowledged streams are still to be told.
    let acknowledgements: Acknowledgements
    /// What became of the beginning of a message that spans batches.
    var beginning: Ingest.Outcome?
    /// Whether pull streams are left alone, because nothing can be made durable.
    private var isPaused = false

    /// Messages of one stream before the next one has its turn.
    static let messagesPerTurn = 1024
    /// And records: messages of many hundred events would make a turn last for seconds, and a stop wait for its end.
    static let recordsPerTurn = 32_768
    private static let supervisionNanoseconds: Int64 = 500_000_000

    init(
        decoder: EventDecoder, ingest: Ingest, journal: JournalKeeper?, deadLetters: DeadLetterFile, probe: RankingProbe,
        wakeUp: EventDescriptor, log: Logger
    ) {
        self.decoder = decoder
        self.ingest = ingest
        self.journal = journal
        acknowledgements = Acknowledgements(journal: journal, wakeUp: wakeUp)
        self.deadLetters = deadLetters
        self.probe = probe
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
    func run(on thread: ServiceThread) throws(ZeroMQError) {
        while !thread.isStopping {
            // While messages keep coming there is nothing to wait for.
            if !hasReceived {
                _ = try poller.wait(timeoutMilliseconds: 500)
                if poller.isReadable(wakeEntry) { wakeUp.drain() }
            }
            hasReceived = false
            Pulse.beat()
            pauseOrGoOn()
            for stream in streams where !(isPaused && stream.stream.pattern == .pull) { try receive(stream) }
            pass()
            try acknowledgements.answerDurable()
            if MonotonicClock.nanoseconds >= nextSupervision {
                nextSupervision = MonotonicClock.nanoseconds + ReceiveLoop.supervisionNanoseconds
                for stream in streams {
                    try stream.supervise(poller)
                    stream.tellLosses(log)
                }
            }
        }
        try acknowledgements.finish()
    }

    /// While nothing can be made durable, pull streams push back: their publishers keep what they have.
    private func pauseOrGoOn() {
        let pauses = journal?.isDegraded ?? false
        guard pauses != isPaused else { return }
        isPaused = pauses
        for stream in streams where stream.stream.pattern == .pull {
            if let entry = stream.entry { poller.setInterest(pauses ? [] : .input, of: entry) }
        }
    }

    private func receive(_ stream: StreamSocket) throws(ZeroMQError) {
        if stream.stream.pattern == .acknowledged { return try receiveAcknowledged(stream) }
        var left = ReceiveLoop.messagesPerTurn
        let goal = stream.counters.records.load(ordering: .relaxed) + ReceiveLoop.recordsPerTurn
        while left > 0, stream.counters.records.load(ordering: .relaxed) < goal {
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
    func pass() {
        guard batch.recordCount > 0 || batch.messageCount > 0 else { return }
        noteNumbers()
        probe.look(batch)
        for (record, reason) in ingest.take(batch) { setAside(record, reason) }
        batch.reset()
    }

    /// The decoder keeps a bounded number of rejections; the rest is counted under the last reason kept.
    func setAside(_ stream: StreamSocket, body: UnsafeRawBufferPointer) {
        for rejection in decoder.rejections {
            stream.counters.reject(rejection.reason)
            let range = rejection.bodyRange.clamped(to: 0..<body.count)
            deadLetter(stream, rejection.reason, rejection.detail, UnsafeRawBufferPointer(rebasing: body[range]))
        }
        let more = decoder.rejectedCount - decoder.rejections.count
        if more > 0, let last = decoder.rejections.last { stream.counters.reject(last.reason, count: UInt64(more)) }
    }

    func deadLetter(
        _ stream: StreamSocket, _ reason: RejectionReason, _ detail: String, _ payload: UnsafeRawBufferPointer
    ) {
        deadLetters.append(
            timeMilliseconds: WallClock.milliseconds, stream: stream.stream.name, reason: reason.rawValue, detail: detail,
            payload: payload)
    }

    /// Has each stream's account look at the numbers of its messages.
    private func noteNumbers() {
        for entry in batch.messages where entry.isNumbered && !entry.isContinuation {
            guard let stream = streams.first(where: { $0.index == entry.stream }) else { continue }
            stream.note(entry, of: batch)
        }
    }

    /// A record that decoded well and was refused by the sequencer: its ids are what is left of it.
    func setAside(_ index: Int, _ reason: Sequencer.Refusal) {
        let record = batch.records[index]
        // The last message that begins at or before the record holds it: messages stand in the order of their records.
        let entry = batch.messages.last { $0.firstRecord <= index }
        let stream = streams.first { $0.index == entry?.stream }
        func text(_ key: Key) -> String {
            key.isText ? String(decoding: key.text, as: UTF8.self) : "\(Int64(bitPattern: key.payload))"
        }
        let detail = "user \(text(record.user)), item \(text(record.item)), type \(String(decoding: batch.text(record.type), as: UTF8.self))"
        deadLetters.append(
            timeMilliseconds: WallClock.milliseconds, stream: stream?.stream.name ?? "", reason: reason.rawValue, detail: detail,
            payload: UnsafeRawBufferPointer(start: nil, count: 0))
    }
}
