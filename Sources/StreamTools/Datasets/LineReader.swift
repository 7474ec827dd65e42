import CZlib
import Glibc
import LinuxSystem

/// Lines of a plain or gzip-compressed file, one at a time, in a buffer that is used again for each.
///
/// Memory: 128 KiB, growing to `longestLine` for a file with such a line. One thread at a time.
final class LineReader {
    static let longestLine = 4 << 20

    let path: String
    /// Number of the line last returned, from 1.
    private(set) var lineNumber = 0

    private let file: gzFile
    /// Size of the file on disk; 0 for a pipe.
    private let fileBytes: Int
    private var buffer: UnsafeMutablePointer<UInt8>
    private var capacity = 128 << 10
    /// The current line starts here; what follows it is at `next`; read bytes end at `end`.
    private var lineStart = 0
    private var next = 0
    private var end = 0
    private var atEnd = false

    /// Opens `path`; `-` is standard input.
    init(path: String) throws(StreamToolsError) {
        self.path = path
        let descriptor: Int32
        do throws(SystemError) {
            descriptor =
                path == "-"
                ? try systemCall("dup", "standard input") { dup(STDIN_FILENO) }
                : try systemCall("open", path) { open(path, O_RDONLY | O_CLOEXEC) }
        } catch {
            throw .system(error)
        }
        var status = stat()
        fileBytes = fstat(descriptor, &status) == 0 && status.st_mode & S_IFMT == S_IFREG ? Int(status.st_size) : 0
        guard let file = gzdopen(descriptor, "rb") else {
            close(descriptor)
            throw .system(SystemError(call: "gzdopen", subject: path, code: ENOMEM))
        }
        gzbuffer(file, 64 << 10)
        self.file = file
        buffer = .allocate(capacity: capacity)
    }

    deinit {
        gzclose(file)
        buffer.deallocate()
    }

    /// Part of the file that has been read, 0…1, or nil where the size is not known.
    var fractionRead: Double? {
        fileBytes > 0 ? min(1, max(0, Double(gzoffset(file)) / Double(fileBytes))) : nil
    }

    /// The next line without its end (LF or CR LF), writable, valid until the next call; nil after the last.
    func nextLine() throws(StreamToolsError) -> UnsafeMutableRawBufferPointer? {
        lineStart = next
        return try takeLine(scanned: 0)
    }

    /// The current line together with the one after it, with the line end between them; nil when there is none. For
    /// quoted fields that contain line ends.
    func extendLine() throws(StreamToolsError) -> UnsafeMutableRawBufferPointer? {
        try takeLine(scanned: next - lineStart)
    }

    /// Finds the line's end, reading on as needed. `scanned` counts bytes from the line's start, for `fill` moves lines.
    private func takeLine(scanned begin: Int) throws(StreamToolsError) -> UnsafeMutableRawBufferPointer? {
        var scanned = begin
        while true {
            let from = lineStart + scanned
            if from < end, let found = memchr(buffer + from, 0x0A, end - from) {
                let lineEnd = UnsafeRawPointer(found) - UnsafeRawPointer(buffer)
                next = lineEnd + 1
                return line(to: lineEnd)
            }
            scanned = end - lineStart
            if atEnd {
                next = end
                return scanned > begin ? line(to: end) : nil
            }
            try fill()
        }
    }

    private func line(to lineEnd: Int) -> UnsafeMutableRawBufferPointer {
        lineNumber += 1
        var last = lineEnd
        if last > lineStart, buffer[last - 1] == 0x0D { last -= 1 }
        // A byte order mark belongs to no field.
        if lineNumber == 1, last - lineStart >= 3, buffer[lineStart] == 0xEF, buffer[lineStart + 1] == 0xBB,
            buffer[lineStart + 2] == 0xBF
        {
            lineStart += 3
        }
        return UnsafeMutableRawBufferPointer(start: buffer + lineStart, count: last - lineStart)
    }

    /// Moves the current line to the buffer's start, makes room, and reads once.
    private func fill() throws(StreamToolsError) {
        if lineStart > 0 {
            memmove(buffer, buffer + lineStart, end - lineStart)
            end -= lineStart
            lineStart = 0
        }
        if end == capacity {
            guard capacity < LineReader.longestLine else {
                throw .malformedLine(
                    path: path, line: lineNumber + 1,
                    reason: "longer than \(LineReader.longestLine >> 20) MiB (a quotation mark that is never closed?)")
            }
            let larger = UnsafeMutablePointer<UInt8>.allocate(capacity: capacity * 2)
            larger.update(from: buffer, count: end)
            buffer.deallocate()
            buffer = larger
            capacity *= 2
        }
        let count = gzread(file, buffer + end, UInt32(capacity - end))
        var code: Int32 = 0
        let message = gzerror(file, &code)
        // A file that ends inside its compressed data reads as its end, with Z_BUF_ERROR.
        guard count >= 0, code == Z_OK || code == Z_STREAM_END else {
            let reason = message.map { String(cString: $0) } ?? "zlib error \(code)"
            throw .damagedFile(path: path, line: lineNumber + 1, reason: reason)
        }
        if count == 0 { atEnd = true }
        end += Int(count)
    }
}
