import Glibc
import LinuxSystem
import Testing

@Suite("Files")
struct FileTests {
    private func code(_ body: () throws(SystemError) -> Void) -> Int32? {
        do throws(SystemError) {
            try body()
            return nil
        } catch {
            return error.code
        }
    }

    @Test("writes, reads, reserves, cuts, syncs, and closes its descriptor")
    func basics() throws {
        try withScratchDirectory { scratch in
            let before = try Directory.list("/proc/self/fd").count
            let path = "\(scratch)/f"
            let file = try File(path, .createExclusive)
            try file.allocate(10_000)
            #expect(try file.size() == 10_000)
            try file.writeAll([1, 2, 3])
            try file.truncate(to: 3)
            try file.startWriteback(offset: 0, length: 3)
            try file.syncData()
            try file.sync()
            file.dropCache()
            var buffer = [UInt8](repeating: 0, count: 8)
            #expect(try buffer.withUnsafeMutableBytes { try file.read(into: $0, at: 1) } == 2)
            #expect(buffer[..<2] == [2, 3])
            #expect(try buffer.withUnsafeMutableBytes { try file.read(into: $0, at: 3) } == 0)
            try file.close()
            for _ in 0..<50 { _ = try File(path, .read) }
            // Other tests open files meanwhile; a leak of 50 would show.
            #expect(try Directory.list("/proc/self/fd").count < before + 40)
        }
    }

    @Test("errors name the call and the path")
    func errors() throws {
        try withScratchDirectory { scratch in
            let path = "\(scratch)/f"
            try File(path, .createExclusive).close()
            #expect(throws: SystemError(call: "open", subject: path, code: EEXIST)) { _ = try File(path, .createExclusive) }
            #expect(throws: SystemError(call: "open", subject: path + "x", code: ENOENT)) { _ = try File(path + "x", .read) }
            #expect(code { () throws(SystemError) in _ = try Directory.list(path) } == ENOTDIR)
            #expect(code { () throws(SystemError) in _ = try Directory.create(path) } == ENOTDIR)
            #expect(symlink(path, path + "link") == 0)
            #expect(code { () throws(SystemError) in _ = try File(path + "link", .append) } == ELOOP)
            try File("\(scratch)/g", .createExclusive).close()
            #expect(code { () throws(SystemError) in try Directory.renameExclusive(path, to: "\(scratch)/g") } == EEXIST)
            try Directory.renameExclusive(path, to: "\(scratch)/h")
            try Directory.sync(scratch)
            #expect(try Set(Directory.list(scratch)) == ["flink", "g", "h"])
        }
    }

    @Test("a full device is an error of the write")
    func fullDevice() throws {
        let full = try File("/dev/full", .append)
        #expect(code { () throws(SystemError) in try full.writeAll([1]) } == ENOSPC)
    }

    @Test("a lock excludes others and names its holder; it ends with its owner")
    func locks() throws {
        try withScratchDirectory { scratch in
            let path = "\(scratch)/.lock"
            do {
                let held = try FileLock(path)
                #expect(throws: FileLockError.held(path: path, process: getpid())) { _ = try FileLock(path) }
                _ = consume held
            }
            _ = try FileLock(path)
        }
    }
}
