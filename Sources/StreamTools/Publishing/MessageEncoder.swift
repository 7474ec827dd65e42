import WireFormats

/// Events to messages, in one of the formats. Holds at most a batch, and the messages of the last `append`.
struct MessageEncoder {
    /// A finished message.
    struct Message: Equatable {
        var frames: [[UInt8]]
        /// Records in it.
        var events: Int
    }

    let format: MessageFormat
    let batchSize: Int
    private let topic: [UInt8]?
    private var numbering: StreamNumbering?
    /// Events of the message in the making.
    private var batch: [DatasetEvent] = []
    /// The columns of `batch`.
    private var shape: ColumnarBatch.Shape?
    /// The same for `array`, as JSON texts.
    private var texts: [[UInt8]] = []
    /// Finished messages, first out first.
    private var ready: [Message] = []
    private let lines = JSONEventReader()

    init(format: MessageFormat, batchSize: Int, topic: String?, numbering: StreamNumbering?) {
        self.format = format
        self.batchSize = batchSize
        self.topic = topic.map { Array($0.utf8) }
        self.numbering = numbering
    }

    mutating func append(_ event: DatasetEvent) {
        switch format {
        case .json:
            let number = takeNumber()
            finish([EventJSON.object(event, numbering: number)], events: 1)
        case .array:
            let number = texts.isEmpty ? takeNumber() : nil
            texts.append(EventJSON.object(event, numbering: number))
            if texts.count == batchSize { flush() }
        case .columnar:
            guard let eventShape = ColumnarBatch.Shape(event) else {
                flush()
                let number = takeNumber()
                return finish([EventJSON.object(event, numbering: number)], events: 1)
            }
            // A column stands for all events of its message, so a different set of columns begins a new one.
            if eventShape != shape { flush() }
            shape = eventShape
            batch.append(event)
            if batch.count == batchSize { flush() }
        }
    }

    /// Takes a JSON object that is some record of Requests/README.md, "Events".
    mutating func append(json line: [UInt8]) {
        switch format {
        case .json:
            let number = takeNumber()
            finish([EventJSON.numbered(line, number)], events: 1)
        case .array:
            let number = texts.isEmpty ? takeNumber() : nil
            texts.append(EventJSON.numbered(line, number))
            if texts.count == batchSize { flush() }
        case .columnar:
            if let event = lines.plainEvent(line) { return append(event) }
            // Order matters: what came before this record goes out before it.
            flush()
            let number = takeNumber()
            finish([EventJSON.numbered(line, number)], events: 1)
        }
    }

    /// Finishes the message in the making.
    mutating func flush() {
        if !texts.isEmpty {
            var body: [UInt8] = [UInt8(ascii: "[")]
            body.reserveCapacity(texts.reduce(2) { $0 + $1.count + 1 })
            for (index, text) in texts.enumerated() {
                if index > 0 { body.append(UInt8(ascii: ",")) }
                body += text
            }
            body.append(UInt8(ascii: "]"))
            finish([body], events: texts.count)
            texts.removeAll(keepingCapacity: true)
        }
        if let shape, !batch.isEmpty {
            let number = takeNumber()
            finish(ColumnarBatch.frames(batch, shape: shape, numbering: number), events: batch.count)
            batch.removeAll(keepingCapacity: true)
        }
    }

    /// Appends a sign of life that tells the number of the last message; nothing where messages bear no numbers.
    mutating func appendBeat() {
        guard let numbering, numbering.next > 1 else { return }
        finish([EventJSON.beat(numbering)], events: 0)
    }

    /// The oldest finished message.
    mutating func takeMessage() -> Message? {
        ready.isEmpty ? nil : ready.removeFirst()
    }

    private mutating func finish(_ frames: [[UInt8]], events: Int) {
        ready.append(Message(frames: (topic.map { [$0] } ?? []) + frames, events: events))
    }

    /// The number of the message that begins now.
    private mutating func takeNumber() -> StreamNumbering? {
        let number = numbering
        numbering?.next += 1
        return number
    }
}
