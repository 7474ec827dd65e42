import CYardstick
import WireFormats

/// A form in which events go over the wire.
enum MessageForm: String, CaseIterable {
    case single = "JSON single"
    /// One event of about 100 bytes, as clients write them: with type, time and a key that no one reads.
    case full = "JSON single full"
    case array = "JSON array"
    case columnar

    /// Events in a message.
    var batch: Int {
        switch self {
        case .single, .full: 1
        case .array: 100
        case .columnar: 4096
        }
    }
}

/// The messages of some events, encoded once and kept; sent again and again.
final class Messages {
    let eventCount: Int
    let messageCount: Int
    let byteCount: Int
    private var storage: [UInt8] = []
    private let bytes: UnsafeMutablePointer<UInt8>
    /// All frames of all messages in order.
    let frames: UnsafeMutableBufferPointer<yard_frame>
    private let batch: Int

    init(_ form: MessageForm, _ events: ArraySlice<yard_event>, valued: Bool) {
        var storage: [UInt8] = [], spans: [(offset: Int, size: Int, more: Bool)] = [], messages = 0
        func add(_ data: some Collection<UInt8>, more: Bool) {
            spans.append((storage.count, data.count, more))
            storage += data
        }
        var rest = events
        while !rest.isEmpty {
            let part = rest.prefix(form.batch)
            rest = rest.dropFirst(form.batch)
            messages += 1
            switch form {
            case .single: add(Messages.object(part.first!, valued), more: false)
            case .full: add(Messages.fullObject(part.first!), more: false)
            case .array: add(Array("[\(part.map { String(decoding: Messages.object($0, valued), as: UTF8.self) }.joined(separator: ","))]".utf8), more: false)
            case .columnar:
                let value = valued ? #",["value","<f4"]"# : ""
                add(Array(#"{"columns":[["user","<i8"],["item","<i8"]\#(value)],"count":\#(part.count)}"#.utf8), more: true)
                add(Messages.raw(part.map { Int64($0.user) }), more: true)
                add(Messages.raw(part.map { Int64($0.item) }), more: valued)
                if valued { add(Messages.raw(part.map(\.label)), more: false) }
            }
        }
        eventCount = events.count
        batch = form.batch
        messageCount = messages
        byteCount = storage.count
        bytes = .allocate(capacity: storage.count)
        bytes.initialize(from: storage, count: storage.count)
        frames = .allocate(capacity: spans.count)
        for (index, span) in spans.enumerated() {
            frames.initializeElement(
                at: index, to: yard_frame(data: bytes + span.offset, size: span.size, more: span.more ? 1 : 0))
        }
    }

    /// The frames of one message: all have as many.
    func frames(of message: Int) -> UnsafeMutableBufferPointer<yard_frame> {
        let each = frames.count / messageCount
        return UnsafeMutableBufferPointer(rebasing: frames[message * each..<(message + 1) * each])
    }

    /// Events in one message; the last may have fewer.
    func events(in message: Int) -> Int { min(batch, eventCount - message * batch) }

    deinit {
        frames.deallocate()
        bytes.deallocate()
    }

    private static func object(_ event: yard_event, _ valued: Bool) -> [UInt8] {
        var writer = JSONWriter(capacity: 128)
        writer.beginObject()
        writer.key("user")
        writer.value(Int64(event.user))
        writer.key("item")
        writer.value(Int64(event.item))
        if valued {
            writer.key("value")
            writer.value(event.label)
        }
        writer.endObject()
        return Array(writer.bytes)
    }

    private static func fullObject(_ event: yard_event) -> [UInt8] {
        var writer = JSONWriter(capacity: 128)
        writer.beginObject()
        writer.key("user")
        writer.value(Int64(event.user))
        writer.key("item")
        writer.value(Int64(event.item))
        writer.key("type")
        writer.value("view")
        writer.key("time")
        writer.value(Int64(1_700_000_000_000) + Int64(event.user))
        writer.key("session")
        writer.value("5f0c1e9ab2d47c38")
        writer.endObject()
        return Array(writer.bytes)
    }

    private static func raw<Element: BitwiseCopyable>(_ values: [Element]) -> [UInt8] { values.withUnsafeBytes { Array($0) } }
}
