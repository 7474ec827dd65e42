internal import CLinux
import Glibc

/// The process's standard error, written whole lines at a time.
public enum StandardError {
    /// Whether journald reads it: `JOURNAL_STREAM` names the device and inode of what it reads.
    public static var isJournal: Bool {
        var status = stat()
        guard let name = getenv("JOURNAL_STREAM"), fstat(2, &status) == 0 else { return false }
        return String(cString: name) == "\(status.st_dev):\(status.st_ino)"
    }

    /// Writes all of `text` in one call where the system takes it so, which keeps lines of several threads apart. A stream
    /// that nobody reads any more loses the text: there is nowhere left to say so.
    public static func write(_ text: String) {
        var text = text
        text.withUTF8 { bytes in
            var rest = UnsafeRawBufferPointer(bytes)
            while !rest.isEmpty {
                guard let count = try? systemCall("write", "standard error", { Glibc.write(2, rest.baseAddress, rest.count) })
                else { return }
                rest = UnsafeRawBufferPointer(rebasing: rest[count...])
            }
        }
    }
}
