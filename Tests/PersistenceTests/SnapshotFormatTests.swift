import LinuxSystem
import Testing

@testable import Persistence

@Suite("Snapshot container")
struct SnapshotFormatTests {
    /// Position 7, flags 3, information "hi", a section "a" with "hello" and an empty section "é"; computed from the
    /// byte table by another program.
    static let golden: [UInt8] = {
        let header =
            "464143544f5244000100000004030201070000000000000003000000020000006869"
        let headerSum = "fca98fa2"
        let content =
            "68656c6c6f020000000000100001006100100000000000000500000000000000010000004cbb719a0200c3a905100000"
            + "00000000000000000000000000000000"
        let trailer =
            "05100000000000003b00000000000000fb06f04de5fbcdce46414354454e4400e3b6a945"
        let padding = [UInt8](repeating: 0, count: 4092 - header.utf8.count / 2)
        return bytes(header) + padding + bytes(headerSum) + bytes(content) + bytes(trailer)
    }()

    static func bytes(_ hex: String) -> [UInt8] {
        let digits = hex.utf8.map { UInt8($0 < 58 ? $0 - 48 : $0 - 87) }
        return stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
    }

    static func snapshot(
        _ disk: MemoryFileSystem, _ path: String, _ sections: [(String, [UInt8])], position: UInt64 = 7, flags: UInt32 = 3,
        info: String = "hi", expectedSize: UInt64 = 0, rate: SnapshotWriteRate? = nil
    ) throws {
        let file = try disk.createFile(path)
        let header = SnapshotHeader(position: position, flags: flags, creationInfo: Array(info.utf8))
        let writer = try SnapshotWriter(file: file, header: header, expectedSize: expectedSize, rate: rate)
        for (name, content) in sections { try writer.section(name, content) }
        try writer.finish()
        try file.close()
    }

    /// What opening and verifying `bytes` as a snapshot says.
    static func verdict(_ bytes: [UInt8]) -> PersistenceError? {
        let disk = MemoryFileSystem()
        disk.setContent("s", bytes)
        return failure { () throws(PersistenceError) in try SnapshotReader("s", fileSystem: disk).verifyAll() }
    }

    @Test("writes the golden bytes, also with space reserved and one byte written at a time")
    func goldenBytes() throws {
        for (expected, longest) in [(UInt64(0), Int.max), (100_000, .max), (100, .max), (0, 1)] {
            let disk = MemoryFileSystem()
            disk.setFaults(.init(longestWrite: longest))
            try Self.snapshot(disk, "s", [("a", Array("hello".utf8)), ("é", [])], expectedSize: expected)
            #expect(disk.content("s") == Self.golden)
        }
    }

    @Test("reads the golden bytes")
    func readsGolden() throws {
        let disk = MemoryFileSystem()
        disk.setContent("s", Self.golden)
        let reader = try SnapshotReader("s", fileSystem: disk)
        var blocks: [Int] = []
        reader.afterBlock = { blocks.append($0) }
        try reader.verifyAll()
        #expect(blocks == [5])
        #expect(reader.header == SnapshotHeader(position: 7, flags: 3, creationInfo: Array("hi".utf8)))
        #expect(reader.sections.map(\.name) == ["a", "é"])
        #expect(try reader.bytes("a") == Array("hello".utf8))
        #expect(try reader.bytes("é") == [])
        #expect(reader.section("b") == nil)
        #expect(failure { () throws(PersistenceError) in try reader.read("b") { _ in } } == .sectionMissing(file: "s", section: "b"))
    }

    @Test("finds every changed byte of a file with several sections")
    func everyFlip() throws {
        var random = SeededRandom(1)
        let disk = MemoryFileSystem()
        try Self.snapshot(disk, "s", [("one", random.bytes(1500)), ("none", []), ("two", random.bytes(777))])
        let whole = try #require(disk.content("s"))
        #expect(Self.verdict(whole) == nil)
        for offset in whole.indices {
            var damaged = whole
            damaged[offset] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            guard case .damaged = Self.verdict(damaged) else {
                Issue.record("byte \(offset) changed unnoticed")
                continue
            }
        }
    }

    @Test("finds every truncation and every added byte")
    func everyTruncation() {
        for length in 0..<Self.golden.count {
            guard case .damaged = Self.verdict(Array(Self.golden[..<length])) else {
                Issue.record("cut to \(length) unnoticed")
                continue
            }
        }
        guard case .damaged = Self.verdict(Self.golden + [0]) else {
            Issue.record("a byte at the end went unnoticed")
            return
        }
    }

    @Test("finds two blocks exchanged, and a header taken from another snapshot")
    func exchanges() throws {
        let disk = MemoryFileSystem()
        let block = SnapshotFormat.blockSize
        try Self.snapshot(disk, "s", [("one", [UInt8](repeating: 1, count: block)), ("two", [UInt8](repeating: 2, count: block))])
        try Self.snapshot(disk, "t", [("one", [UInt8](repeating: 1, count: block)), ("two", [UInt8](repeating: 2, count: block))], position: 8)
        let first = try #require(disk.content("s"))
        let other = try #require(disk.content("t"))
        var exchanged = first
        exchanged.replaceSubrange(4096..<4096 + block, with: first[(4096 + block)..<(4096 + 2 * block)])
        exchanged.replaceSubrange((4096 + block)..<(4096 + 2 * block), with: first[4096..<4096 + block])
        #expect(Self.verdict(exchanged) != nil)
        #expect(Self.verdict(Array(other[..<4096] + first[4096...])) != nil)
        #expect(Self.verdict(first) == nil)
    }

    @Test("refuses a newer format and names both versions; a changed version byte is damage, not a newer format")
    func newerVersion() {
        let header = SnapshotHeader(position: 7)
        let newer = SnapshotFormat.encode(header, version: 9) + Self.golden[4096...]
        let refused = Self.verdict(newer)
        #expect(refused == .newerVersion(file: "s", found: 9, supported: 1))
        #expect(refused.map(String.init(describing:))?.contains("version 9") == true)
        // A later format may be shorter than ours, or end differently.
        #expect(Self.verdict(Array(newer[..<4096])) == .newerVersion(file: "s", found: 9, supported: 1))
        var changed = Self.golden
        changed[8] = 9
        guard case .damaged = Self.verdict(changed) else {
            Issue.record("a damaged version was taken at its word")
            return
        }
    }

    @Test("sections of every length around a block come back, whole and in pieces")
    func lengths() throws {
        var random = SeededRandom(2)
        let block = SnapshotFormat.blockSize
        let contents = [0, 1, block - 1, block, block + 1, 2 * block, 3 * block + 17].map { random.bytes($0) }
        let disk = MemoryFileSystem()
        let file = try disk.createFile("s")
        let writer = try SnapshotWriter(file: file, header: SnapshotHeader(position: 1))
        for (index, content) in contents.enumerated() {
            try writer.begin("\(index)")
            var rest = content[...]
            while !rest.isEmpty {
                let piece = Array(rest.prefix(Int.random(in: 1...700_000, using: &random)))
                try piece.withUnsafeBytes { try writer.append($0) }
                rest = rest.dropFirst(piece.count)
            }
            try writer.end()
        }
        try writer.finish()
        let reader = try SnapshotReader("s", fileSystem: disk)
        try reader.verifyAll()
        for (index, content) in contents.enumerated() {
            #expect(try reader.bytes("\(index)") == content)
            for _ in 0..<20 {
                let start = Int.random(in: 0...content.count, using: &random)
                var buffer = [UInt8](repeating: 0, count: Int.random(in: 0...(content.count - start), using: &random))
                try buffer.withUnsafeMutableBytes { try reader.read("\(index)", at: UInt64(start), into: $0) }
                #expect(buffer == Array(content[start..<start + buffer.count]))
            }
            var one: [UInt8] = [0]
            #expect(throws: PersistenceError.self) {
                try one.withUnsafeMutableBytes { try reader.read("\(index)", at: UInt64(content.count), into: $0) }
            }
        }
    }

    @Test("finds random changes in a file of several MiB, and never hands out a changed byte")
    func largeFlips() throws {
        var random = SeededRandom(3)
        let content = random.bytes(3 << 20)
        let disk = MemoryFileSystem()
        try Self.snapshot(disk, "s", [("rows", content)])
        let whole = try #require(disk.content("s"))
        for _ in 0..<40 {
            var damaged = whole
            damaged[Int.random(in: 4096..<(4096 + content.count), using: &random)] ^= UInt8.random(in: 1...255, using: &random)
            disk.setContent("s", damaged)
            let reader = try SnapshotReader("s", fileSystem: disk)
            #expect(throws: PersistenceError.self) { try reader.verifyAll() }
            var handed = 0
            #expect(throws: PersistenceError.self) {
                try reader.read("rows") { piece in
                    if !piece.elementsEqual(content[handed..<handed + piece.count]) { Issue.record("a damaged block was handed out") }
                    handed += piece.count
                }
            }
        }
    }

    @Test("a write rate makes the writer wait until its bytes were allowed")
    func rate() throws {
        let clock = FakeClock()
        let rate = SnapshotWriteRate(bytesPerSecond: 1 << 20, now: { clock.now }, pause: { clock.advance($0) })
        try Self.snapshot(MemoryFileSystem(), "s", [("rows", [UInt8](repeating: 5, count: 4 << 20))], rate: rate)
        #expect(clock.now == 4_000_000_000)
    }
}

/// A clock that moves only when somebody waits for it. Used by one thread.
private final class FakeClock: @unchecked Sendable {
    private(set) var now: UInt64 = 0
    func advance(_ nanoseconds: UInt64) { now += nanoseconds }
}
