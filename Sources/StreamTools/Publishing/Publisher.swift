import LinuxSystem

/// How a publisher works.
public struct PublishOptions: Sendable {
    public var format: MessageFormat
    /// Events in a message, for `array` and `columnar`; fewer at low rates, so that none waits longer than 0.1 s.
    public var batchSize: Int
    /// Events a second; nil is as fast as the receiver takes them.
    public var eventsPerSecond: Double?
    /// First frame of each message, for subscribers; nil sends none.
    public var topic: String?
    /// Nil sends messages without numbers.
    public var numbering: StreamNumbering?

    public init(
        format: MessageFormat = .columnar, batchSize: Int = 500, eventsPerSecond: Double? = nil, topic: String? = nil,
        numbering: StreamNumbering? = nil
    ) {
        self.format = format
        self.batchSize = batchSize
        self.eventsPerSecond = eventsPerSecond
        self.topic = topic
        self.numbering = numbering
    }
}

/// Puts events into messages and sends them at a rate. Used by one thread.
public final class Publisher {
    /// What has been handed to the transport.
    public struct Counts: Sendable, Equatable {
        public var events = 0
        public var messages = 0
        public var bytes = 0
    }

    public private(set) var counts = Counts()

    private let sink: any MessageSink
    private let isNumbered: Bool
    private var encoder: MessageEncoder
    private var limiter: RateLimiter?
    /// When the next beat is due.
    private var nextBeat: Int64

    /// Between two beats, while messages are sent.
    private static let beatNanoseconds: Int64 = 1_000_000_000

    /// Throws `invalidSetting` for a batch size or rate out of range.
    public init(to sink: any MessageSink, options: PublishOptions = PublishOptions()) throws(StreamToolsError) {
        guard (1...100_000).contains(options.batchSize) else {
            throw .invalidSetting(name: "batch", reason: "\(options.batchSize) events; 1 to 100,000 fit a message")
        }
        var batchSize = options.batchSize
        if let rate = options.eventsPerSecond {
            guard rate > 0, rate.isFinite else { throw .invalidSetting(name: "rate", reason: "\(rate); events a second, above 0") }
            limiter = RateLimiter(perSecond: rate, now: MonotonicClock.nanoseconds)
            batchSize = max(1, Int(min(Double(batchSize), rate / 10)))
        }
        self.sink = sink
        isNumbered = options.numbering != nil
        nextBeat = MonotonicClock.nanoseconds + Publisher.beatNanoseconds
        encoder = MessageEncoder(
            format: options.format, batchSize: batchSize, topic: options.topic, numbering: options.numbering)
    }

    /// Takes an event; sends a message when one is full.
    public func publish(_ event: DatasetEvent) throws(StreamToolsError) {
        encoder.append(event)
        try sendReady()
    }

    /// Takes a record of a data set. JSON lines go out as they stand; the columnar format takes out of them what is a
    /// plain event.
    public func publish(_ record: DatasetRecord) throws(StreamToolsError) {
        switch record {
        case .event(let event): encoder.append(event)
        case .json(let line): encoder.append(json: line)
        }
        try sendReady()
    }

    /// Sends what is not a full message yet.
    public func flush() throws(StreamToolsError) {
        encoder.flush()
        try sendReady()
    }

    /// Flushes, says which message was the last (where messages are numbered), and closes the sink.
    /// - Returns: false when messages may be lost (see `MessageSink.close`).
    public func finish() throws(StreamToolsError) -> Bool {
        encoder.flush()
        try sendReady()
        // Twice, for a subscriber whose queue is full loses beats too.
        if !sink.isAcknowledged {
            for pause in [0, 0.1] {
                if pause > 0, isNumbered { try Interruption.sleep(seconds: pause) }
                encoder.appendBeat()
                try sendReady()
            }
        }
        return sink.close()
    }

    private func sendReady() throws(StreamToolsError) {
        if MonotonicClock.nanoseconds >= nextBeat {
            nextBeat = MonotonicClock.nanoseconds + Publisher.beatNanoseconds
            if !sink.isAcknowledged { encoder.appendBeat() }
        }
        while let message = encoder.takeMessage() {
            if let wait = limiter?.take(message.events, now: MonotonicClock.nanoseconds), wait > 0 {
                try Interruption.sleep(seconds: Double(wait) / 1e9)
            }
            try sink.send(message.frames, records: message.events)
            counts.events += message.events
            counts.messages += 1
            counts.bytes += message.frames.reduce(0) { $0 + $1.count }
        }
    }
}
