internal import Glibc
public import LinuxSystem

let ioErrorCode = EIO
let existsErrorCode = EEXIST
let missingErrorCode = ENOENT

/// The real file system: each call goes straight to `LinuxSystem`.
public struct LinuxFileSystem: FileSystem {
    public init() {}

    public func createFile(_ path: String) throws(SystemError) -> any OpenFile {
        LinuxOpenFile(try File(path, .createExclusive), path: path)
    }

    public func createLargeFile(_ path: String) throws(SystemError) -> any OpenFile {
        LinuxOpenFile(try File(path, .createDirect), path: path)
    }

    public func openFile(_ path: String) throws(SystemError) -> any OpenFile {
        LinuxOpenFile(try File(path, .read), path: path)
    }

    public func openAppending(_ path: String) throws(SystemError) -> any OpenFile {
        LinuxOpenFile(try File(path, .append), path: path)
    }

    public func createDirectory(_ path: String) throws(SystemError) -> Bool {
        try Directory.create(path, permissions: 0o700)
    }

    public func list(_ directory: String) throws(SystemError) -> [String] { try Directory.list(directory) }

    public func renameExclusive(_ from: String, to: String) throws(SystemError) {
        try Directory.renameExclusive(from, to: to)
    }

    public func remove(_ path: String) throws(SystemError) { try Directory.remove(path) }

    public func syncDirectory(_ path: String) throws(SystemError) { try Directory.sync(path) }

    public func lock(_ path: String) throws(FileLockError) -> any HeldLock { LinuxHeldLock(try FileLock(path)) }
}

private final class LinuxHeldLock: HeldLock {
    private let lock: FileLock

    init(_ lock: consuming FileLock) { self.lock = lock }
}

/// Holds a `File` behind the seam. One thread at a time.
private final class LinuxOpenFile: OpenFile {
    let path: String
    /// Nil after `close`.
    private var file: File?

    init(_ file: consuming File, path: String) {
        self.path = path
        self.file = consume file
    }

    private var closed: SystemError { SystemError(call: "use after close", subject: path, code: EBADF) }

    func write(_ bytes: UnsafeRawBufferPointer) throws(SystemError) -> Int {
        do throws(SystemError) {
            guard let count = try file?.write(bytes) else { throw closed }
            // After a part of a piece the rest does not lie as direct writes want it.
            if count % File.directAlignment != 0 { file?.endDirect() }
            return count
        } catch where error.code == EINVAL && file?.isDirect == true {
            // A disk with larger sectors, or a file system that only says so now.
            file?.endDirect()
            guard let count = try file?.write(bytes) else { throw closed }
            return count
        }
    }

    var alignment: Int { file?.isDirect == true ? File.directAlignment : 1 }

    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws(SystemError) -> Int {
        guard let count = try file?.read(into: buffer, at: offset) else { throw closed }
        return count
    }

    func size() throws(SystemError) -> UInt64 {
        guard let size = try file?.size() else { throw closed }
        return size
    }

    func allocate(_ size: UInt64) throws(SystemError) {
        guard try file?.allocate(size) != nil else { throw closed }
    }

    func truncate(to size: UInt64) throws(SystemError) {
        guard try file?.truncate(to: size) != nil else { throw closed }
    }

    func startWriteback(offset: UInt64, length: UInt64) throws(SystemError) {
        guard try file?.startWriteback(offset: offset, length: length) != nil else { throw closed }
    }

    func sync() throws(SystemError) {
        guard try file?.sync() != nil else { throw closed }
    }

    func syncData() throws(SystemError) {
        guard try file?.syncData() != nil else { throw closed }
    }

    func dropCache(before end: UInt64) { file?.dropCache(before: end) }

    func close() throws(SystemError) {
        guard let open = file.take() else { throw closed }
        try open.close()
    }
}
