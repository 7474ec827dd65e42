internal import LinuxSystem

/// A file that is written front to back through two buffers: while a thread of its own writes the one, the other is filled. So
/// the disk and whoever makes the bytes work at the same time, and pieces are as long and lie as direct writes want them.
///
/// Memory: two buffers of 4 MiB; a file that is shorter than one needs no thread.
/// Threads: one, beside its own. While that writes, nobody else touches the file; `finish` and `abandon` wait for it.
final class SnapshotOutput {
    static let chunkBytes = 4 << 20

    let file: any OpenFile
    private let memory: UnsafeMutableRawBufferPointer
    /// Which half of the memory is filled, and how far.
    private var half = 0
    private var filled = 0
    private var worker: Worker?

    init(_ file: any OpenFile) {
        self.file = file
        memory = .allocate(byteCount: 2 * SnapshotOutput.chunkBytes, alignment: 4096)
    }

    deinit {
        abandon()
        memory.deallocate()
    }

    private var chunk: UnsafeMutableRawBufferPointer {
        UnsafeMutableRawBufferPointer(rebasing: memory[half * SnapshotOutput.chunkBytes..<(half + 1) * SnapshotOutput.chunkBytes])
    }

    /// Copies as many bytes as fit in one piece; answers the copy, which is there until the next call.
    func copy(_ bytes: UnsafeRawBufferPointer) throws(SystemError) -> UnsafeRawBufferPointer {
        if filled == SnapshotOutput.chunkBytes { try handOver() }
        let count = min(bytes.count, SnapshotOutput.chunkBytes - filled)
        let place = UnsafeMutableRawBufferPointer(rebasing: chunk[filled..<filled + count])
        place.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[..<count]))
        filled += count
        return UnsafeRawBufferPointer(place)
    }

    /// Gives the full half to the thread, once that is done with the other one.
    private func handOver() throws(SystemError) {
        if worker == nil { worker = try Worker(file) }
        try worker?.write(UnsafeRawBufferPointer(chunk))
        half = 1 - half
        filled = 0
    }

    /// Writes what is left, with zeros behind it where the file wants that. The caller cuts them off.
    func finish() throws(SystemError) {
        if let worker { try worker.finish() }
        worker = nil
        let alignment = file.alignment, end = (filled + alignment - 1) / alignment * alignment
        UnsafeMutableRawBufferPointer(rebasing: chunk[filled..<end]).initializeMemory(as: UInt8.self, repeating: 0)
        try file.writeAll(UnsafeRawBufferPointer(rebasing: chunk[..<end]))
        filled = 0
    }

    /// Waits until nothing is written any more; the file is of no use then.
    func abandon() {
        try? worker?.finish()
        worker = nil
    }
}

/// The thread that writes.
private final class Worker: @unchecked Sendable {
    // Sendable by hand: the file belongs to the thread from `write` on until `finish` has returned; the rest is locked.
    private let file: any OpenFile
    private let state = Lock(State())
    private let wanted, done: EventDescriptor
    private var thread: SystemThread?
    /// Bytes written, and up to where the kernel was told to begin. Thread only.
    private var written: UInt64 = 0

    private struct State: Sendable {
        /// Address and length.
        var waiting: (start: UInt, count: Int)?
        var failure: SystemError?
        var isEnding = false
    }

    init(_ file: any OpenFile) throws(SystemError) {
        self.file = file
        wanted = try EventDescriptor()
        done = try EventDescriptor()
        thread = try SystemThread(name: "snapshot write", pulse: Pulse()) { [self] in run() }
    }

    /// Hands bytes over, once those before are written. They stay as they are until the next call has returned.
    func write(_ bytes: UnsafeRawBufferPointer) throws(SystemError) {
        try wait()
        let place = (start: UInt(bitPattern: bytes.baseAddress), count: bytes.count)
        state.withLock { $0.waiting = place }
        wanted.signal()
    }

    /// Waits for the end of what was handed over.
    private func wait() throws(SystemError) {
        while true {
            let (isIdle, failure) = state.withLock { ($0.waiting == nil, $0.failure) }
            if let failure { throw failure }
            if isIdle { return }
            done.wait(timeoutMilliseconds: 1000)
        }
    }

    func finish() throws(SystemError) {
        defer {
            state.withLock { $0.isEnding = true }
            wanted.signal()
            thread?.join()
            thread = nil
        }
        try wait()
    }

    private func run() {
        while true {
            let (waiting, isEnding) = state.withLock { ($0.waiting, $0.isEnding) }
            if let waiting {
                let failure = attempt(UnsafeRawBufferPointer(start: UnsafeRawPointer(bitPattern: waiting.start), count: waiting.count))
                state.withLock {
                    $0.waiting = nil
                    $0.failure = failure
                }
                done.signal()
                if failure != nil { return }
            } else if isEnding {
                return
            } else {
                wanted.wait(timeoutMilliseconds: 1000)
            }
        }
    }

    private func attempt(_ bytes: UnsafeRawBufferPointer) -> SystemError? {
        do throws(SystemError) {
            try file.writeAll(bytes)
            // Through the page cache: begun now, so that the sync at the end is short.
            if file.alignment == 1 { try file.startWriteback(offset: written, length: UInt64(bytes.count)) }
            written += UInt64(bytes.count)
            return nil
        } catch {
            return error
        }
    }
}
