import Glibc
import LinuxSystem
import Persistence

/// A file system in memory that can fail, shorten writes, run full, and lose power.
///
/// It keeps what is live and what is durable apart: content becomes durable by `sync` of the file, names by
/// `syncDirectory`. `afterPowerCut` gives the disk that a machine might find after the cut.
final class MemoryFileSystem: FileSystem {
    struct Faults {
        /// The number of the operation (from 1) that fails; nil for none.
        var failAt: Int?
        /// Its errno value.
        var code: Int32 = EIO
        /// Whether every later operation fails too, as in a process that was killed or a machine that lost power.
        var stopThere = false
        /// The most bytes that one write takes.
        var longestWrite = Int.max
        /// The bytes that the disk holds.
        var capacity = Int.max
        /// Whether every sync of a file fails.
        var syncFails = false
    }

    struct Inode {
        var live: [UInt8] = []
        var durable: [UInt8] = []
        var syncFailed = false
    }

    struct State {
        var inodes: [Inode] = []
        var live: [String: Int] = [:]
        var durable: [String: Int] = [:]
        var directories: Set<String> = []
        var locks: Set<String> = []
        var faults = Faults()
        var operations = 0
        var log: [String] = []
        var syncedAfterFailure = false
        var used: Int { live.values.reduce(0) { $0 + inodes[$1].live.count } }
    }

    let state: Lock<State>

    init(_ state: State = State()) { self.state = Lock(state) }

    var operations: Int { state.withLock { $0.operations } }
    var syncedAfterFailure: Bool { state.withLock { $0.syncedAfterFailure } }
    var names: Set<String> { state.withLock { Set($0.live.keys) } }
    func setFaults(_ faults: Faults) { state.withLock { $0.faults = faults; $0.operations = 0 } }
    func content(_ path: String) -> [UInt8]? { state.withLock { state in state.live[path].map { state.inodes[$0].live } } }
    func setContent(_ path: String, _ bytes: [UInt8]) {
        state.withLock { state in
            state.inodes.append(Inode(live: bytes, durable: bytes))
            state.live[path] = state.inodes.count - 1
            state.durable[path] = state.inodes.count - 1
        }
    }

    /// The disk after a power cut: of all that was not synced, each name and each sector survives or not by chance.
    func afterPowerCut(_ random: inout some RandomNumberGenerator) -> MemoryFileSystem {
        var next = state.withLock { $0 }
        for path in Set(next.live.keys).union(next.durable.keys) where next.live[path] != next.durable[path] {
            next.live[path] = Bool.random(using: &random) ? next.live[path] : next.durable[path]
        }
        next.durable = next.live
        for index in next.inodes.indices {
            let live = next.inodes[index].live
            var found = next.inodes[index].durable
            if found != live, Bool.random(using: &random) {
                found = Array((found + [UInt8](repeating: 0, count: max(0, live.count - found.count))).prefix(live.count))
                for start in stride(from: 0, to: live.count, by: 512) where Bool.random(using: &random) {
                    let sector = start..<min(live.count, start + 512)
                    found.replaceSubrange(sector, with: live[sector])
                }
            }
            next.inodes[index] = Inode(live: found, durable: found)
        }
        next.locks = []
        next.faults = Faults()
        return MemoryFileSystem(next)
    }

    /// The disk after a power cut that lost everything unsynced.
    func lostUnsynced() -> MemoryFileSystem {
        var next = state.withLock { $0 }
        next.live = next.durable
        for index in next.inodes.indices { next.inodes[index] = Inode(live: next.inodes[index].durable, durable: next.inodes[index].durable) }
        next.locks = []
        next.faults = Faults()
        return MemoryFileSystem(next)
    }

    /// Counts an operation and fails it when it is its turn.
    func operation<Value>(
        _ call: String, _ path: String, _ body: (inout State) throws(SystemError) -> sending Value
    ) throws(SystemError) -> Value {
        try state.withLock { state throws(SystemError) in
            state.operations += 1
            state.log.append("\(call) \(path)")
            let faults = state.faults
            if let at = faults.failAt, faults.stopThere ? state.operations >= at : state.operations == at {
                throw SystemError(call: call, subject: path, code: faults.code)
            }
            return try body(&state)
        }
    }

    func createFile(_ path: String) throws(SystemError) -> any OpenFile {
        let inode = try operation("create", path) { state throws(SystemError) in
            guard state.live[path] == nil else { throw SystemError(call: "create", subject: path, code: EEXIST) }
            state.inodes.append(Inode())
            state.live[path] = state.inodes.count - 1
            return state.inodes.count - 1
        }
        return MemoryFile(self, path, inode)
    }

    func openFile(_ path: String) throws(SystemError) -> any OpenFile {
        let inode = try operation("open", path) { state throws(SystemError) in
            guard let inode = state.live[path] else { throw SystemError(call: "open", subject: path, code: ENOENT) }
            return inode
        }
        return MemoryFile(self, path, inode)
    }

    func openAppending(_ path: String) throws(SystemError) -> any OpenFile {
        if names.contains(path) { return try openFile(path) }
        return try createFile(path)
    }

    func createDirectory(_ path: String) throws(SystemError) -> Bool {
        try operation("mkdir", path) { state throws(SystemError) in state.directories.insert(path).inserted }
    }

    func list(_ directory: String) throws(SystemError) -> [String] {
        try operation("list", directory) { state throws(SystemError) in
            state.live.keys.filter { $0.hasPrefix(directory + "/") }.map { String($0.dropFirst(directory.count + 1)) }
                .filter { !$0.contains("/") }
        }
    }

    func renameExclusive(_ from: String, to: String) throws(SystemError) {
        try operation("rename", "\(from) \(to)") { state throws(SystemError) in
            guard state.live[to] == nil else { throw SystemError(call: "rename", subject: to, code: EEXIST) }
            guard let inode = state.live.removeValue(forKey: from) else {
                throw SystemError(call: "rename", subject: from, code: ENOENT)
            }
            state.live[to] = inode
        }
    }

    func remove(_ path: String) throws(SystemError) {
        try operation("unlink", path) { state throws(SystemError) in
            guard state.live.removeValue(forKey: path) != nil else {
                throw SystemError(call: "unlink", subject: path, code: ENOENT)
            }
        }
    }

    func syncDirectory(_ path: String) throws(SystemError) {
        try operation("syncdir", path) { state throws(SystemError) in
            let here = { (name: String) in name.hasPrefix(path + "/") && !name.dropFirst(path.count + 1).contains("/") }
            state.durable = state.durable.filter { !here($0.key) }
            for (name, inode) in state.live where here(name) { state.durable[name] = inode }
        }
    }

    func lock(_ path: String) throws(FileLockError) -> any HeldLock {
        let taken = state.withLock { $0.locks.insert(path).inserted }
        guard taken else { throw .held(path: path, process: 1) }
        return MemoryLock(self, path)
    }
}

private final class MemoryLock: HeldLock {
    private let system: MemoryFileSystem
    private let path: String
    init(_ system: MemoryFileSystem, _ path: String) {
        self.system = system
        self.path = path
    }
    deinit { _ = system.state.withLock { $0.locks.remove(path) } }
}

private final class MemoryFile: OpenFile {
    let path: String
    private let system: MemoryFileSystem
    private let inode: Int
    private var isClosed = false
    private var cursor: Int?

    init(_ system: MemoryFileSystem, _ path: String, _ inode: Int) {
        self.system = system
        self.path = path
        self.inode = inode
    }

    func write(_ bytes: UnsafeRawBufferPointer) throws(SystemError) -> Int {
        let (path, inode, start) = (path, inode, cursor)
        let (taken, end) = try system.operation("write", path) { state throws(SystemError) in
            var taken = min(bytes.count, state.faults.longestWrite)
            let start = start ?? state.inodes[inode].live.count
            let room = state.faults.capacity - state.used + max(0, state.inodes[inode].live.count - start)
            taken = min(taken, room)
            guard taken > 0 else { throw SystemError(call: "write", subject: path, code: ENOSPC) }
            let end = start + taken
            let grow = max(0, end - state.inodes[inode].live.count)
            state.inodes[inode].live += [UInt8](repeating: 0, count: grow)
            state.inodes[inode].live.replaceSubrange(start..<end, with: bytes.prefix(taken))
            return (taken, end)
        }
        if cursor != nil { cursor = end }
        return taken
    }

    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws(SystemError) -> Int {
        let inode = inode
        let part = try system.operation("read", path) { state throws(SystemError) in
            Array(state.inodes[inode].live.dropFirst(Int(offset)).prefix(buffer.count))
        }
        buffer.copyBytes(from: part)
        return part.count
    }

    func size() throws(SystemError) -> UInt64 {
        let inode = inode
        return try system.operation("size", path) { state throws(SystemError) in UInt64(state.inodes[inode].live.count) }
    }

    func allocate(_ size: UInt64) throws(SystemError) {
        let (path, inode) = (path, inode)
        try system.operation("allocate", path) { state throws(SystemError) in
            let grow = max(0, Int(size) - state.inodes[inode].live.count)
            guard state.used + grow <= state.faults.capacity else {
                throw SystemError(call: "allocate", subject: path, code: ENOSPC)
            }
            state.inodes[inode].live += [UInt8](repeating: 0, count: grow)
        }
        cursor = cursor ?? 0
    }

    func truncate(to size: UInt64) throws(SystemError) {
        let inode = inode
        try system.operation("truncate", path) { state throws(SystemError) in
            state.inodes[inode].live = Array(state.inodes[inode].live.prefix(Int(size)))
        }
    }

    func startWriteback(offset: UInt64, length: UInt64) throws(SystemError) {
        try system.operation("writeback", path) { _ throws(SystemError) in }
    }

    func sync() throws(SystemError) { try sync("sync") }

    private func sync(_ call: String) throws(SystemError) {
        let (path, inode) = (path, inode)
        try system.state.withLock { state throws(SystemError) in
            // A second sync would say "done" without having written anything: the lie that must never be asked for.
            if state.inodes[inode].syncFailed {
                state.syncedAfterFailure = true
                return
            }
            state.operations += 1
            state.log.append("\(call) \(path)")
            let faults = state.faults
            let isTurn = faults.failAt.map { faults.stopThere ? state.operations >= $0 : state.operations == $0 } ?? false
            if isTurn || faults.syncFails {
                state.inodes[inode].syncFailed = true
                throw SystemError(call: "sync", subject: path, code: EIO)
            }
            state.inodes[inode].durable = state.inodes[inode].live
        }
    }

    func syncData() throws(SystemError) { try sync("syncdata") }

    func dropCache() {}

    func close() throws(SystemError) {
        guard !isClosed else { throw SystemError(call: "close", subject: path, code: EBADF) }
        isClosed = true
        try system.operation("close", path) { _ throws(SystemError) in }
    }
}
