public import LinuxSystem

/// Another file system that fails on demand: for crash harnesses, and for tests on a real disk. Faults may change at
/// any time, from any thread; locks never fail.
public final class FaultyFileSystem: FileSystem {
    private let base: any FileSystem
    let counter = Lock(FaultCounter())

    public init(_ base: any FileSystem = LinuxFileSystem()) { self.base = base }

    /// Fails as `faults` say from now on, and counts calls from 0 again.
    public func setFaults(_ faults: FileSystemFaults) { counter.withLock { $0.faults = faults } }

    /// Calls since faults were set.
    public var calls: Int { counter.withLock { $0.calls } }

    func count(_ call: FileSystemCall, _ path: String) throws(SystemError) {
        try counter.withLock { counter throws(SystemError) in try counter.count(call, path) }
    }

    public func createFile(_ path: String) throws(SystemError) -> any OpenFile {
        try count(.create, path)
        return FaultyFile(self, try base.createFile(path))
    }

    public func openFile(_ path: String) throws(SystemError) -> any OpenFile {
        try count(.open, path)
        return FaultyFile(self, try base.openFile(path))
    }

    public func openAppending(_ path: String) throws(SystemError) -> any OpenFile {
        try count(.open, path)
        return FaultyFile(self, try base.openAppending(path))
    }

    public func createDirectory(_ path: String) throws(SystemError) -> Bool {
        try count(.mkdir, path)
        return try base.createDirectory(path)
    }

    public func list(_ directory: String) throws(SystemError) -> [String] {
        try count(.list, directory)
        return try base.list(directory)
    }

    public func renameExclusive(_ from: String, to: String) throws(SystemError) {
        try count(.rename, from)
        try base.renameExclusive(from, to: to)
    }

    public func remove(_ path: String) throws(SystemError) {
        try count(.unlink, path)
        try base.remove(path)
    }

    public func syncDirectory(_ path: String) throws(SystemError) {
        try count(.syncdir, path)
        try base.syncDirectory(path)
    }

    public func lock(_ path: String) throws(FileLockError) -> any HeldLock { try base.lock(path) }
}

/// One thread at a time, as its base.
private final class FaultyFile: OpenFile {
    private let system: FaultyFileSystem
    private let base: any OpenFile

    init(_ system: FaultyFileSystem, _ base: any OpenFile) {
        self.system = system
        self.base = base
    }

    var path: String { base.path }

    func write(_ bytes: UnsafeRawBufferPointer) throws(SystemError) -> Int {
        try system.count(.write, path)
        guard bytes.count > 0 else { return 0 }
        let taken = system.counter.withLock { $0.taken(of: bytes.count) }
        return try base.write(UnsafeRawBufferPointer(rebasing: bytes[..<taken]))
    }

    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws(SystemError) -> Int {
        try system.count(.read, path)
        return try base.read(into: buffer, at: offset)
    }

    func size() throws(SystemError) -> UInt64 {
        try system.count(.size, path)
        return try base.size()
    }

    func allocate(_ size: UInt64) throws(SystemError) {
        try system.count(.allocate, path)
        try base.allocate(size)
    }

    func truncate(to size: UInt64) throws(SystemError) {
        try system.count(.truncate, path)
        try base.truncate(to: size)
    }

    func startWriteback(offset: UInt64, length: UInt64) throws(SystemError) {
        try system.count(.writeback, path)
        try base.startWriteback(offset: offset, length: length)
    }

    func sync() throws(SystemError) {
        try system.count(.sync, path)
        try base.sync()
    }

    func syncData() throws(SystemError) {
        try system.count(.syncdata, path)
        try base.syncData()
    }

    func dropCache(before end: UInt64) { base.dropCache(before: end) }

    func close() throws(SystemError) {
        // The descriptor goes, whatever close says.
        let closed: SystemError? = { do throws(SystemError) { try base.close(); return nil } catch { return error } }()
        try system.count(.close, path)
        if let closed { throw closed }
    }
}
