import Glibc

/// Why a lock file could not be taken.
public enum FileLockError: Error, Equatable, CustomStringConvertible {
    /// Another process (or another owner in this one) holds it; the process id is what the holder wrote, if readable.
    case held(path: String, process: Int32?)
    /// The lock file could not be opened, locked or written.
    case system(SystemError)

    public var description: String {
        switch self {
        case .held(let path, let process?): "\(path) is locked by process \(process)"
        case .held(let path, nil): "\(path) is locked by another process"
        case .system(let error): error.description
        }
    }
}

/// An advisory lock on a file, held as long as this value lives; the kernel drops it when the process dies, however it
/// dies. The file stays (removing it would let two processes lock two files of one name) and holds the owner's id.
public struct FileLock: ~Copyable, Sendable {
    private let file: File

    /// Takes the lock at `path`, creating the file (mode 0600) where missing. Does not wait.
    public init(_ path: String) throws(FileLockError) {
        let opened = try FileLock.open(path)
        guard try FileLock.take(opened) else {
            throw .held(path: path, process: FileLock.writtenProcess(opened))
        }
        file = opened
    }

    /// Locks and signs the file; `false` where another holds it.
    private static func take(_ file: borrowing File) throws(FileLockError) -> Bool {
        do throws(SystemError) {
            guard try file.lockExclusively() else { return false }
            try file.truncate(to: 0)
            try file.writeAll(Array("\(getpid())\n".utf8))
            return true
        } catch {
            throw .system(error)
        }
    }

    private static func open(_ path: String) throws(FileLockError) -> File {
        do throws(SystemError) { return try File(path, .append) } catch { throw .system(error) }
    }

    private static func writtenProcess(_ file: borrowing File) -> Int32? {
        var bytes = [UInt8](repeating: 0, count: 16)
        let count = (try? bytes.withUnsafeMutableBytes { buffer in try file.read(into: buffer, at: 0) }) ?? 0
        return Int32(String(decoding: bytes.prefix(count).prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self))
    }
}
