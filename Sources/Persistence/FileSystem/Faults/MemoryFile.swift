internal import Glibc
internal import LinuxSystem

/// An open file of a `MemoryFileSystem`. One thread at a time.
final class MemoryFile: OpenFile {
    let path: String
    private let system: MemoryFileSystem
    private let inode: Int
    private var isClosed = false
    /// Where the next write goes; nil for the end.
    private var cursor: Int?

    init(_ system: MemoryFileSystem, _ path: String, _ inode: Int) {
        self.system = system
        self.path = path
        self.inode = inode
    }

    func write(_ bytes: UnsafeRawBufferPointer) throws(SystemError) -> Int {
        let (path, inode, cursor) = (path, inode, cursor)
        let end = try system.call(.write, path) { state throws(SystemError) in
            let size = state.inodes[inode].live.count
            let start = cursor ?? size
            let room = state.counter.faults.capacity == .max ? bytes.count : state.counter.faults.capacity - state.used + max(0, size - start)
            let taken = min(state.counter.taken(of: bytes.count), room)
            guard taken > 0 else { throw SystemError(call: "write", subject: path, code: ENOSPC) }
            let change = MemoryFileSystem.Inode.Change.write(at: start, Array(bytes[..<taken]))
            change.apply(to: &state.inodes[inode].live)
            state.inodes[inode].unsynced.append(change)
            return (start: start, end: start + taken)
        }
        if cursor != nil { self.cursor = end.end }
        return end.end - end.start
    }

    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws(SystemError) -> Int {
        let inode = inode
        return try system.call(.read, path) { state throws(SystemError) in
            state.inodes[inode].live.withUnsafeBytes { live in
                guard offset < UInt64(live.count) else { return 0 }
                let part = UnsafeRawBufferPointer(rebasing: live[Int(offset)..<min(live.count, Int(offset) + buffer.count)])
                buffer.copyBytes(from: part)
                return part.count
            }
        }
    }

    func size() throws(SystemError) -> UInt64 {
        let inode = inode
        return try system.call(.size, path) { state throws(SystemError) in UInt64(state.inodes[inode].live.count) }
    }

    func allocate(_ size: UInt64) throws(SystemError) {
        let (path, inode) = (path, inode)
        try system.call(.allocate, path) { state throws(SystemError) in
            let grow = max(0, Int(size) - state.inodes[inode].live.count)
            guard state.counter.faults.capacity == .max || state.used + grow <= state.counter.faults.capacity else {
                throw SystemError(call: "allocate", subject: path, code: ENOSPC)
            }
            if grow > 0 { state.resize(inode, Int(size)) }
        }
        cursor = cursor ?? 0
    }

    func truncate(to size: UInt64) throws(SystemError) {
        let inode = inode
        try system.call(.truncate, path) { state throws(SystemError) in state.resize(inode, Int(size)) }
    }

    func startWriteback(offset: UInt64, length: UInt64) throws(SystemError) {
        try system.call(.writeback, path) { _ throws(SystemError) in }
    }

    func sync() throws(SystemError) { try sync(.sync) }

    func syncData() throws(SystemError) { try sync(.syncdata) }

    private func sync(_ call: FileSystemCall) throws(SystemError) {
        let (path, inode) = (path, inode)
        try system.state.withLock { state throws(SystemError) in
            // A second sync would say "done" without having written anything: the lie that must never be asked for.
            if state.inodes[inode].syncFailed {
                state.syncedAfterFailure = true
                return
            }
            state.log.append("\(call.rawValue) \(path)")
            do throws(SystemError) {
                try state.counter.count(call, path)
            } catch {
                state.inodes[inode].syncFailed = true
                throw error
            }
            // After a restart the kernel takes the pages of a failed sync for clean, and says "done" as well.
            if !state.inodes[inode].isStale { state.inodes[inode].makeDurable() }
        }
    }

    /// Clean pages go; those of a failed sync too, and the next read shows what the disk has.
    func dropCache(before end: UInt64) {
        let (path, inode) = (path, inode)
        system.state.withLock { state in
            state.log.append("dropcache \(path)\(end == .max ? "" : " before \(end)")")
            guard state.inodes[inode].isStale else { return }
            state.inodes[inode].forget(before: Int(clamping: end))
        }
    }

    func close() throws(SystemError) {
        guard !isClosed else { throw SystemError(call: "close", subject: path, code: EBADF) }
        isClosed = true
        try system.call(.close, path) { _ throws(SystemError) in }
    }
}

extension MemoryFileSystem.State {
    fileprivate mutating func resize(_ inode: Int, _ size: Int) {
        let change = MemoryFileSystem.Inode.Change.size(size)
        change.apply(to: &inodes[inode].live)
        inodes[inode].unsynced.append(change)
    }
}
