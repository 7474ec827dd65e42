internal import Glibc
public import LinuxSystem

/// A file system in memory that can fail, shorten writes, run full, and lose power: for tests and crash harnesses.
///
/// It keeps what is live and what is durable apart: content becomes durable by a sync of the file, names by
/// `syncDirectory`. `afterPowerCut` gives the disk that a machine might find after the cut.
/// Threads: any; everything is inside `state`.
public final class MemoryFileSystem: FileSystem {
    /// A file's content, apart from its names.
    struct Inode {
        /// A change that a power cut may forget.
        enum Change {
            case write(at: Int, [UInt8])
            case size(Int)
        }

        var live: [UInt8] = []
        var durable: [UInt8] = []
        /// What was done since the last sync, in order.
        var unsynced: [Change] = []
        /// A sync failed in this run of the program: another one would lie.
        var syncFailed = false
        /// A sync failed in an earlier run: the cache shows `live` and believes it clean; the disk has `durable`.
        var isStale = false

        mutating func makeDurable() {
            for change in unsynced { change.apply(to: &durable) }
            unsynced.removeAll()
        }

        /// Shows of the first `end` bytes what the disk has.
        mutating func forget(before end: Int) {
            let durable = durable
            guard end < live.count else { return self = Self(live: durable, durable: durable) }
            let count = min(end, durable.count)
            live.replaceSubrange(..<count, with: durable[..<count])
        }
    }

    struct State {
        var inodes: [Inode] = []
        var live: [String: Int] = [:]
        var durable: [String: Int] = [:]
        var directories: Set<String> = []
        var locks: Set<String> = []
        var counter = FaultCounter()
        var log: [String] = []
        var syncedAfterFailure = false
        var used: Int { live.values.reduce(0) { $0 + inodes[$1].live.count } }
    }

    let state: Lock<State>

    init(_ state: sending State) { self.state = Lock(state) }

    public convenience init() { self.init(State()) }

    /// Fails as `faults` say from now on, and counts calls from 0 again.
    public func setFaults(_ faults: FileSystemFaults) { state.withLock { $0.counter.faults = faults } }

    /// Calls since faults were set.
    public var calls: Int { state.withLock { $0.counter.calls } }

    /// Every call so far, as `call path`.
    public var log: [String] { state.withLock { $0.log } }

    /// Whether anybody asked for a sync of a file whose sync had failed: what must never happen.
    public var syncedAfterFailure: Bool { state.withLock { $0.syncedAfterFailure } }

    /// The paths of all files.
    public var names: Set<String> { state.withLock { Set($0.live.keys) } }

    /// What a file holds; nil where there is none.
    public func content(_ path: String) -> [UInt8]? { state.withLock { state in state.live[path].map { state.inodes[$0].live } } }

    /// Puts a file there, durably.
    public func setContent(_ path: String, _ bytes: [UInt8]) {
        state.withLock { state in
            state.inodes.append(Inode(live: bytes, durable: bytes))
            state.live[path] = state.inodes.count - 1
            state.durable[path] = state.inodes.count - 1
        }
    }

    /// Counts a call and fails it when it is its turn.
    func call<Value>(
        _ call: FileSystemCall, _ path: String, _ body: (inout State) throws(SystemError) -> sending Value
    ) throws(SystemError) -> sending Value {
        try state.withLock { state throws(SystemError) in
            state.log.append("\(call.rawValue) \(path)")
            try state.counter.count(call, path)
            return try body(&state)
        }
    }

    public func createFile(_ path: String) throws(SystemError) -> any OpenFile {
        let inode = try call(.create, path) { state throws(SystemError) in
            guard state.live[path] == nil else { throw SystemError(call: "create", subject: path, code: EEXIST) }
            state.inodes.append(Inode())
            state.live[path] = state.inodes.count - 1
            return state.inodes.count - 1
        }
        return MemoryFile(self, path, inode)
    }

    public func openFile(_ path: String) throws(SystemError) -> any OpenFile {
        let inode = try call(.open, path) { state throws(SystemError) in
            guard let inode = state.live[path] else { throw SystemError(call: "open", subject: path, code: ENOENT) }
            return inode
        }
        return MemoryFile(self, path, inode)
    }

    public func openAppending(_ path: String) throws(SystemError) -> any OpenFile {
        if names.contains(path) { return try openFile(path) }
        return try createFile(path)
    }

    public func createDirectory(_ path: String) throws(SystemError) -> Bool {
        try call(.mkdir, path) { state throws(SystemError) in state.directories.insert(path).inserted }
    }

    public func list(_ directory: String) throws(SystemError) -> [String] {
        try call(.list, directory) { state throws(SystemError) in
            state.live.keys.filter { $0.hasPrefix(directory + "/") }.map { String($0.dropFirst(directory.count + 1)) }
                .filter { !$0.contains("/") }.sorted()
        }
    }

    public func renameExclusive(_ from: String, to: String) throws(SystemError) {
        try call(.rename, "\(from) \(to)") { state throws(SystemError) in
            guard state.live[to] == nil else { throw SystemError(call: "rename", subject: to, code: EEXIST) }
            guard let inode = state.live.removeValue(forKey: from) else {
                throw SystemError(call: "rename", subject: from, code: ENOENT)
            }
            state.live[to] = inode
        }
    }

    public func remove(_ path: String) throws(SystemError) {
        try call(.unlink, path) { state throws(SystemError) in
            guard state.live.removeValue(forKey: path) != nil else {
                throw SystemError(call: "unlink", subject: path, code: ENOENT)
            }
        }
    }

    public func syncDirectory(_ path: String) throws(SystemError) {
        try call(.syncdir, path) { state throws(SystemError) in
            let here = { (name: String) in name.hasPrefix(path + "/") && !name.dropFirst(path.count + 1).contains("/") }
            state.durable = state.durable.filter { !here($0.key) }
            for (name, inode) in state.live where here(name) { state.durable[name] = inode }
        }
    }

    public func lock(_ path: String) throws(FileLockError) -> any HeldLock {
        let taken = state.withLock { $0.locks.insert(path).inserted }
        guard taken else { throw .held(path: path, process: 1) }
        return MemoryLock(self, path)
    }
}

extension MemoryFileSystem.Inode.Change {
    func apply(to content: inout [UInt8]) {
        switch self {
        case .write(let offset, let bytes):
            if content.count < offset + bytes.count {
                content += [UInt8](repeating: 0, count: offset + bytes.count - content.count)
            }
            content.replaceSubrange(offset..<offset + bytes.count, with: bytes)
        case .size(let size):
            if content.count > size { content.removeLast(content.count - size) }
            if content.count < size { content += [UInt8](repeating: 0, count: size - content.count) }
        }
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
