import Glibc
import LinuxSystem

/// A file of events as JSON lines, written anew. Used by one thread; `flush` before letting go.
public final class EventFile {
    private let path: String
    private let descriptor: Int32
    private var buffer: [UInt8] = []

    /// Creates or empties `path`; `-` is standard output.
    public init(path: String) throws(StreamToolsError) {
        self.path = path
        descriptor = try TextFile.open(path)
        buffer.reserveCapacity(80 << 10)
    }

    deinit { close(descriptor) }

    public func append(_ event: DatasetEvent) throws(StreamToolsError) {
        buffer += EventJSON.object(event, numbering: nil)
        buffer.append(0x0A)
        if buffer.count >= 64 << 10 { try flush() }
    }

    /// Appends a record as it stands.
    public func append(json line: [UInt8]) throws(StreamToolsError) {
        buffer += line
        buffer.append(0x0A)
        if buffer.count >= 64 << 10 { try flush() }
    }

    public func flush() throws(StreamToolsError) {
        try TextFile.write(buffer, to: descriptor, path: path)
        buffer.removeAll(keepingCapacity: true)
    }
}

/// Small files of text.
public enum TextFile {
    /// Writes a file anew; `-` is standard output.
    public static func write(_ text: String, to path: String) throws(StreamToolsError) {
        let descriptor = try open(path)
        defer { close(descriptor) }
        try write(Array(text.utf8), to: descriptor, path: path)
    }

    /// The whole of a file, of 64 MiB at most; `.gz` is unpacked.
    public static func read(_ path: String) throws(StreamToolsError) -> String {
        let lines = try LineReader(path: path)
        var text = ""
        while let line = try lines.nextLine() {
            text += String(decoding: line, as: UTF8.self) + "\n"
            guard text.utf8.count <= 64 << 20 else { throw .unknownFormat(path: path, reason: "over 64 MiB of text") }
        }
        return text
    }

    /// The same for bytes.
    static func write(bytes: [UInt8], to path: String) throws(StreamToolsError) {
        let descriptor = try open(path)
        defer { close(descriptor) }
        try write(bytes, to: descriptor, path: path)
    }

    static func open(_ path: String) throws(StreamToolsError) -> Int32 {
        do throws(SystemError) {
            if path == "-" { return try systemCall("dup", "standard output") { dup(STDOUT_FILENO) } }
            return try systemCall("open", path) { Glibc.open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644) }
        } catch {
            throw .system(error)
        }
    }

    static func write(_ bytes: [UInt8], to descriptor: Int32, path: String) throws(StreamToolsError) {
        var done = 0
        while done < bytes.count {
            let start = done
            do throws(SystemError) {
                done += try systemCall("write", path) {
                    bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress! + start, bytes.count - start) }
                }
            } catch {
                throw .system(error)
            }
        }
    }
}

extension ItemCatalogue {
    /// The catalogue as `read` takes it: a header, then id, title and one column for each attribute field; values of a
    /// field are joined by `|`.
    public func tabSeparated() -> String {
        var fields: [String] = []
        for id in ids { for attribute in entries[id]!.attributes where !fields.contains(attribute.field) { fields.append(attribute.field) } }
        // A tab or line end in a title would break the table.
        func clean(_ text: String) -> String {
            String(text.map { $0 == "\t" || $0.isNewline ? " " : $0 })
        }
        var text = (["item_id", "title"] + fields).map(clean).joined(separator: "\t") + "\n"
        for id in ids {
            let entry = entries[id]!
            let cells = fields.map { field in
                entry.attributes.filter { $0.field == field }.flatMap(\.values).map(\.description).joined(separator: "|")
            }
            text += ([id.description, entry.title ?? ""] + cells).map(clean).joined(separator: "\t") + "\n"
        }
        return text
    }
}
