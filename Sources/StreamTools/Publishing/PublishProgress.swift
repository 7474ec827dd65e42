import Foundation
import LinuxSystem
import WireFormats

/// How far a publisher to an acknowledged stream got, in a file of JSON: `{"source","epoch","seq","records"}`. A run that finds it
/// goes on with the message behind `seq`, under the same name and epoch, and leaves the first `records` records out; what the daemon
/// took beyond, it recognises by the numbers. That needs the same records in the same messages.
public struct PublishProgress {
    /// Where a run begins: its next message, and the records delivered before.
    public struct Standing: Sendable, Equatable {
        public var numbering: StreamNumbering
        public var records: Int
    }

    /// What the file said at the start; nil where there was none.
    public let standing: Standing?
    private let path: String
    private var nextSave: Int64 = 0

    private static let saveNanoseconds: Int64 = 500_000_000

    /// Reads the file, where it exists. Throws `malformedLine` for one that is no such file.
    public init(path: String) throws(StreamToolsError) {
        self.path = path
        guard let data = FileManager.default.contents(atPath: path) else {
            standing = nil
            return
        }
        let bytes = [UInt8](data)
        // A value lives on the parser's tape.
        let parser = JSONParser(maxBytes: 1 << 20)
        let tree = bytes.withUnsafeBytes { bytes in (try? parser.parse(bytes)).map { JSONTree($0) } }
        withExtendedLifetime(parser) {}
        guard let tree, let source = tree["source"]?.string, let epoch = tree["epoch"]?.integer, let sequence = tree["seq"]?.integer,
            let records = tree["records"]?.integer, epoch >= 0, sequence >= 0, records >= 0
        else {
            throw .malformedLine(path: path, line: 1, reason: "not how far a publisher got; remove the file to begin anew")
        }
        standing = Standing(
            numbering: StreamNumbering(source: source, epoch: UInt64(epoch), next: UInt64(sequence) + 1), records: records)
    }

    /// Takes note of a run that begins, before its first message: one that is killed before it has heard an answer has sent some all the
    /// same, and the next run must go on with its epoch for the daemon to recognise them. Throws `invalidSetting` where the file cannot
    /// be written.
    public func begin(_ numbering: StreamNumbering) throws(StreamToolsError) {
        guard standing == nil else { return }
        save(numbering, settled: numbering.next - 1, records: 0)
        if !FileManager.default.fileExists(atPath: path) { throw .invalidSetting(name: path, reason: "how far the sending gets cannot be saved there; name a file that can be written") }
    }

    /// Saves how far it is, about twice a second.
    public mutating func note(_ numbering: StreamNumbering, settled: UInt64, records: Int) {
        guard MonotonicClock.nanoseconds >= nextSave else { return }
        nextSave = MonotonicClock.nanoseconds + PublishProgress.saveNanoseconds
        save(numbering, settled: settled, records: records)
    }

    /// Saves how far it is. A file that cannot be written costs a later run only what the daemon then recognises as sent twice.
    public func save(_ numbering: StreamNumbering, settled: UInt64, records: Int) {
        var writer = JSONWriter(capacity: 128)
        writer.beginObject()
        writer.member("source", numbering.source)
        writer.member("epoch", numbering.epoch)
        writer.member("seq", settled)
        writer.member("records", records)
        writer.endObject()
        try? Data(writer.bytes).write(to: URL(fileURLWithPath: path), options: .atomic)
    }
}
