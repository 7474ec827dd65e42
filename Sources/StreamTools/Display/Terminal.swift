import Glibc
import LinuxSystem

/// Standard output and standard error, and whether a person looks at them.
public enum Terminal {
    public enum Stream: Int32, Sendable {
        case output = 1
        case error = 2
    }

    /// Whether the stream is a terminal that can redraw a line.
    public static func isInteractive(_ stream: Stream) -> Bool {
        guard isatty(stream.rawValue) == 1 else { return false }
        return getenv("TERM").map { String(cString: $0) } != "dumb"
    }

    /// Whether colours may be used: on a terminal, unless the person has set NO_COLOR.
    public static func hasColours(_ stream: Stream) -> Bool {
        isInteractive(stream) && (getenv("NO_COLOR").map { String(cString: $0) } ?? "").isEmpty
    }

    /// Columns and rows; 80 × 24 where the stream is no terminal.
    public static func size(_ stream: Stream) -> (columns: Int, rows: Int) {
        var size = winsize()
        guard ioctl(stream.rawValue, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return (80, 24) }
        return (Int(size.ws_col), Int(size.ws_row))
    }

    /// Writes all of a text; what cannot be written (a closed pipe) is dropped.
    public static func write(_ text: String, to stream: Stream = .output) {
        let bytes = Array(text.utf8)
        bytes.withUnsafeBytes { buffer in
            var rest = buffer[...]
            while !rest.isEmpty {
                let slice = UnsafeRawBufferPointer(rebasing: rest)
                let written = try? systemCall("write") { Glibc.write(stream.rawValue, slice.baseAddress, slice.count) }
                guard let written, written > 0 else { return }
                rest = rest.dropFirst(written)
            }
        }
    }
}
