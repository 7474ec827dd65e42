import CLinux
import Glibc

/// The owner of one open file: closes it when it goes out of scope, and knows its path so that every error names it.
///
/// Threads: may move between threads, and the calls are the kernel's; `write`s of several threads need an order of their own.
/// Errors: every call throws `SystemError` with the path. After a failed `sync` or `syncData` the caller must not call
/// either again on the same file: Linux marks the pages clean after the first failure, so a second call would lie.
public struct File: ~Copyable, Sendable {
    /// How a file is opened.
    public enum Mode: Sendable {
        /// An existing file, for reading.
        case read
        /// A new file, for writing and reading; fails with EEXIST where the name is taken.
        case createExclusive
        /// The same, past the page cache where the file system has that: see `File.isDirect`.
        case createDirect
        /// For writing at the end and reading; created where missing. A symbolic link is refused.
        case append
    }

    /// The path that the file was opened under.
    public let path: String
    /// -1 after `close`.
    private var descriptor: Int32
    /// Whether writes go past the page cache: then address, place in the file and length are multiples of `directAlignment`.
    public private(set) var isDirect = false
    /// What every disk of today takes.
    public static let directAlignment = 4096

    /// Opens `path`; a file that this creates gets `permissions` (less the process's umask).
    public init(_ path: String, _ mode: Mode, permissions: UInt32 = 0o600) throws(SystemError) {
        let flags: Int32
        switch mode {
        case .read: flags = O_RDONLY
        case .createExclusive, .createDirect: flags = O_RDWR | O_CREAT | O_EXCL
        case .append: flags = O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW
        }
        descriptor = try diskCall("open", path) { Glibc.open(path, flags | O_CLOEXEC, permissions) }
        self.path = path
        if mode == .createDirect { isDirect = clinux_set_direct(descriptor, 1) == 0 }
    }

    /// For the calls that ask about the file.
    var descriptorForStatus: Int32 { descriptor }

    deinit {
        if descriptor >= 0 { _ = Glibc.close(descriptor) }
    }

    /// Closes the file and reports what the kernel could only say now (a write error on a network file system).
    public consuming func close() throws(SystemError) {
        let closing = descriptor
        descriptor = -1
        // The descriptor is gone even where close was interrupted; closing the number again could hit a stranger's file.
        try Pulse.outside { () throws(SystemError) in try systemCallOnce("close", path) { Glibc.close(closing) } }
    }

    /// Writes at the file's end (or where the last write stopped). Returns the bytes taken, which may be fewer.
    public func write(_ bytes: UnsafeRawBufferPointer) throws(SystemError) -> Int {
        guard bytes.count > 0 else { return 0 }
        return try diskCall("write", path) { Glibc.write(descriptor, bytes.baseAddress, bytes.count) }
    }

    /// Has later writes go through the page cache again.
    public mutating func endDirect() {
        if isDirect { _ = clinux_set_direct(descriptor, 0) }
        isDirect = false
    }

    /// Writes all bytes, going on after short writes.
    public func writeAll(_ bytes: UnsafeRawBufferPointer) throws(SystemError) {
        var rest = bytes
        while rest.count > 0 {
            let taken = try write(rest)
            // A write of more than nothing that takes nothing would loop for ever.
            guard taken > 0 else { throw SystemError(call: "write", subject: path, code: EIO) }
            rest = UnsafeRawBufferPointer(rebasing: rest[taken...])
        }
    }

    /// Writes all of a small array.
    public func writeAll(_ bytes: [UInt8]) throws(SystemError) {
        try bytes.withUnsafeBufferPointer { buffer throws(SystemError) in try writeAll(UnsafeRawBufferPointer(buffer)) }
    }

    /// Reads at `offset` (bytes). Returns the bytes read: fewer than asked for at the end of the file, 0 past it.
    public func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws(SystemError) -> Int {
        guard buffer.count > 0 else { return 0 }
        return try diskCall("pread", path) {
            pread(descriptor, buffer.baseAddress, buffer.count, off_t(clamping: offset))
        }
    }

    /// The size in bytes.
    public func size() throws(SystemError) -> UInt64 {
        var status = stat()
        try diskCall("fstat", path) { fstat(descriptor, &status) }
        return UInt64(clamping: status.st_size)
    }

    /// Cuts or extends the file to `size` bytes.
    public func truncate(to size: UInt64) throws(SystemError) {
        try diskCall("ftruncate", path) { ftruncate(descriptor, off_t(clamping: size)) }
    }

    /// Reserves disk space for the first `size` bytes, so that a full disk (ENOSPC) shows now and not half-way.
    /// The file grows to `size` with zeros.
    public func allocate(_ size: UInt64) throws(SystemError) {
        guard size > 0 else { return }
        // This call returns its error instead of setting errno.
        var code = EINTR
        while code == EINTR { code = Pulse.outside { posix_fallocate(descriptor, 0, off_t(clamping: size)) } }
        guard code == 0 else { throw SystemError(call: "posix_fallocate", subject: path, code: code) }
    }
}

extension File {
    /// Makes content and size durable (fdatasync). Never call again after it threw.
    public func syncData() throws(SystemError) {
        try diskCall("fdatasync", path) { fdatasync(descriptor) }
    }

    /// Makes content and all metadata durable (fsync). Never call again after it threw.
    public func sync() throws(SystemError) {
        try diskCall("fsync", path) { fsync(descriptor) }
    }

    /// Starts writing a range (bytes) to disk without waiting, so that a later `sync` finds little left to do. This
    /// makes nothing durable; where the file system does not offer it, nothing happens.
    public func startWriteback(offset: UInt64, length: UInt64) throws(SystemError) {
        do throws(SystemError) {
            try diskCall("sync_file_range", path) {
                clinux_start_writeback(descriptor, Int64(clamping: offset), Int64(clamping: length))
            }
        } catch where [ENOSYS, EINVAL, EOPNOTSUPP, ESPIPE].contains(error.code) {
        }
    }

    /// Asks the kernel to forget clean cached pages of the first `end` bytes, so that the next read comes from the disk. A hint only.
    public func dropCache(before end: UInt64 = .max) {
        // To the call a length of nothing means the whole file.
        guard end > 0 else { return }
        _ = posix_fadvise(descriptor, 0, off_t(clamping: end), POSIX_FADV_DONTNEED)
    }

    /// Takes the advisory lock (flock) for this open file; `false` where another open file holds it.
    public func lockExclusively() throws(SystemError) -> Bool {
        do throws(SystemError) {
            try systemCall("flock", path) { flock(descriptor, LOCK_EX | LOCK_NB) }
            return true
        } catch where error.code == EWOULDBLOCK {
            return false
        }
    }
}
