public import LinuxSystem

/// The file operations that persistence is built on, as a seam: production code uses `LinuxFileSystem`; tests slip in
/// one that fails the n-th call, shortens writes, or forgets what was never synced.
///
/// Names are paths. Nothing about a name is durable before `syncDirectory` of its directory, nothing about content
/// before `sync` or `syncData` of the file. This is never on the per-event path.
public protocol FileSystem: Sendable {
    /// Creates a new file (mode 0600) for writing; EEXIST where the name is taken.
    func createFile(_ path: String) throws(SystemError) -> any OpenFile
    /// The same for a large file that is written front to back in pieces of `OpenFile.alignment`: past the page cache where that
    /// can be had, so that it costs little processor time and pushes nothing else out of memory.
    func createLargeFile(_ path: String) throws(SystemError) -> any OpenFile
    /// Opens an existing file for reading.
    func openFile(_ path: String) throws(SystemError) -> any OpenFile
    /// Opens a file (created with mode 0600 where missing) for writing at its end, and for reading.
    func openAppending(_ path: String) throws(SystemError) -> any OpenFile
    /// Creates one directory (mode 0700); `false` where it exists.
    func createDirectory(_ path: String) throws(SystemError) -> Bool
    /// The names in a directory.
    func list(_ directory: String) throws(SystemError) -> [String]
    /// Renames a file; EEXIST where the new name is taken.
    func renameExclusive(_ from: String, to: String) throws(SystemError)
    /// Removes a file's name.
    func remove(_ path: String) throws(SystemError)
    /// Makes creations, renames and removals in a directory durable.
    func syncDirectory(_ path: String) throws(SystemError)
    /// Takes the advisory lock at `path` without waiting; it is held while the returned object lives.
    func lock(_ path: String) throws(FileLockError) -> any HeldLock
}

/// A lock that is given back when the last reference goes.
public protocol HeldLock: AnyObject, Sendable {}

/// One open file of a `FileSystem`. Used by one thread at a time; closed without a check when the last reference goes.
public protocol OpenFile: AnyObject {
    /// The path it was opened under, for error messages.
    var path: String { get }
    /// Writes have to be a multiple of so many bytes, from an address that is one too: 1 for any.
    var alignment: Int { get }
    /// Writes at the end; returns the bytes taken, at least one and possibly fewer than given.
    func write(_ bytes: UnsafeRawBufferPointer) throws(SystemError) -> Int
    /// Reads at `offset`; returns the bytes read, 0 at the end.
    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws(SystemError) -> Int
    /// The size in bytes.
    func size() throws(SystemError) -> UInt64
    /// Reserves space for the first `size` bytes; the file grows to that size. ENOSPC where the disk has no room.
    func allocate(_ size: UInt64) throws(SystemError)
    /// Cuts the file.
    func truncate(to size: UInt64) throws(SystemError)
    /// Starts writing a range to disk; promises nothing.
    func startWriteback(offset: UInt64, length: UInt64) throws(SystemError)
    /// Makes content, size and all metadata durable (fsync). Never called again on a file where this or `syncData` failed.
    func sync() throws(SystemError)
    /// Makes content and size durable (fdatasync). Never called again on a file where this or `sync` failed.
    func syncData() throws(SystemError)
    /// Hints that what the disk has of the first `end` bytes is not needed in memory, and that the next read should come from the disk.
    func dropCache(before end: UInt64)
    /// Closes, reporting errors. Only `path` may be used afterwards.
    func close() throws(SystemError)
}

extension FileSystem {
    public func createLargeFile(_ path: String) throws(SystemError) -> any OpenFile { try createFile(path) }
}

extension OpenFile {
    public var alignment: Int { 1 }

    /// The same for the whole file.
    public func dropCache() { dropCache(before: .max) }

    /// Writes all bytes, going on after short writes.
    public func writeAll(_ bytes: UnsafeRawBufferPointer) throws(SystemError) {
        var rest = bytes
        while rest.count > 0 {
            let taken = try write(rest)
            guard taken > 0 else { throw SystemError(call: "write", subject: path, code: ioErrorCode) }
            rest = UnsafeRawBufferPointer(rebasing: rest[taken...])
        }
    }

    /// Reads until the buffer is full or the file ends; returns the bytes read.
    public func readAll(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws(SystemError) -> Int {
        var filled = 0
        while filled < buffer.count {
            let rest = UnsafeMutableRawBufferPointer(rebasing: buffer[filled...])
            let count = try read(into: rest, at: offset + UInt64(filled))
            if count == 0 { break }
            filled += count
        }
        return filled
    }
}
