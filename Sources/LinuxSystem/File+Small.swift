internal import CLinux
import Glibc

extension File {
    /// Who may do what: the lowest twelve bits of the mode.
    public func permissions() throws(SystemError) -> UInt32 {
        var status = stat()
        try systemCall("fstat", path) { fstat(descriptorForStatus, &status) }
        return status.st_mode & 0o7777
    }

    /// All of a small file; nil where it is longer than `limit` bytes.
    public func contents(limit: Int) throws(SystemError) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: limit + 1), count = 0
        while count < bytes.count {
            let part = try bytes.withUnsafeMutableBufferPointer { (buffer) throws(SystemError) in
                try read(into: UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(buffer)[count...]), at: UInt64(count))
            }
            if part == 0 { return Array(bytes[..<count]) }
            count += part
        }
        return nil
    }
}

extension Directory {
    /// Whether a path leads to a directory; nil where it leads nowhere, or may not be looked at.
    public static func isDirectory(_ path: String) -> Bool? {
        var status = stat()
        return stat(path, &status) == 0 ? status.st_mode & S_IFMT == S_IFDIR : nil
    }
}

extension File {
    /// Sets who may do what, whatever the process's umask.
    public func setPermissions(_ mode: UInt32) throws(SystemError) {
        try systemCall("fchmod", path) { fchmod(descriptorForStatus, mode) }
    }
}

extension SystemError {
    /// Whether the name was taken.
    public var isExisting: Bool { code == EEXIST }
}
