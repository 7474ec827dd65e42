import Glibc
import LinuxSystem
import Testing

@testable import Persistence

@Suite("Dead letters")
struct DeadLetterTests {
    private func line(_ payload: [UInt8], limit: Int = 100, detail: String = "d") -> String {
        var bytes: [UInt8] = []
        let letter = DeadLetter(timeMilliseconds: 1_700_000_000_123, stream: "clicks", reason: "wrong_type", detail: detail)
        _ = payload.withUnsafeBytes { letter.encode($0, payloadLimit: limit, into: &bytes) }
        return String(decoding: bytes, as: UTF8.self)
    }

    private func append(_ file: DeadLetterFile, _ number: Int, payload: [UInt8] = Array("{}".utf8)) {
        payload.withUnsafeBytes {
            file.append(timeMilliseconds: Int64(number), stream: "s", reason: "r", detail: "d", payload: $0)
        }
    }

    /// The numbers that `append` gave, as the lines of a file have them; each line must be whole.
    private func numbers(_ content: [UInt8]?) -> [Int] {
        let text = String(decoding: content ?? [], as: UTF8.self)
        #expect(text.isEmpty || text.hasSuffix("\n"))
        return text.split(separator: "\n").map { line in
            #expect(line.hasSuffix("\"}"))
            let digits = line.dropFirst(#"{"time":"#.utf8.count).prefix { $0.isNumber }
            return Int(digits) ?? -1
        }
    }

    @Test("a line's form: text escaped, bytes in base64, cut between characters, fields bounded")
    func form() {
        let start = #"{"time":1700000000123,"stream":"clicks","reason":"wrong_type","detail":"d","payload_bytes":"#
        #expect(line(Array("{\"a\":\"\\\n\u{1}\u{7F}é\"}".utf8)) ==
            start + #"14,"payload":"{\"a\":\"\\\n\u0001\u007fé\"}"}"# + "\n")
        #expect(line([]) == start + "0,\"payload\":\"\"}\n")
        #expect(line([0xFF]) == start + "1,\"payload_base64\":\"/w==\"}\n")
        #expect(line([0xFF, 0xFE]) == start + "2,\"payload_base64\":\"//4=\"}\n")
        #expect(line([0xFF, 0, 1, 2]) == start + "4,\"payload_base64\":\"/wABAg==\"}\n")
        #expect(line(Array("aé€😀z".utf8), limit: 5) == start + "11,\"payload\":\"aé\"}\n")
        #expect(line(Array("aé€😀z".utf8), limit: 6) == start + "11,\"payload\":\"aé€\"}\n")
        #expect(line(Array("aé€😀z".utf8), limit: 9) == start + "11,\"payload\":\"aé€\"}\n")
        #expect(line(Array("abc".utf8), limit: 0) == start + "3,\"payload\":\"\"}\n")
        #expect(line([UInt8](repeating: 0x80, count: 9), limit: 3) == start + "9,\"payload_base64\":\"gICA\"}\n")
        #expect(line([], detail: String(repeating: "é", count: 1000)).utf8.count < 1000)
    }

    @Test("never takes more than its bytes and files, and keeps the newest lines in order")
    func rotation() throws {
        for limits in [
            DeadLetterLimits(fileBytes: 1000, files: 3, payloadBytes: 100, bufferBytes: 0),
            DeadLetterLimits(fileBytes: 1000, files: 3, payloadBytes: 100, bufferBytes: 5000),
            DeadLetterLimits(fileBytes: 700, files: 1, payloadBytes: 100, bufferBytes: 300),
        ] {
            let disk = MemoryFileSystem()
            let file = DeadLetterFile("f", limits: limits, fileSystem: disk)
            for number in 0..<200 {
                append(file, number, payload: [UInt8](repeating: 65, count: number % 150))
                for name in disk.names { #expect((disk.content(name)?.count ?? 0) <= limits.fileBytes) }
                #expect(disk.names.count <= limits.files)
            }
            file.flush()
            let kept = numbers(disk.content("f.2")) + numbers(disk.content("f.1")) + numbers(disk.content("f"))
            #expect(kept.last == 199 && kept == Array(kept[0]...199))
            #expect(file.counts == DeadLetterCounts(written: 200, lost: 0, cut: 49))
        }
    }

    @Test("what the disk refuses is counted, never thrown, and leaves no half line; it heals")
    func refused() throws {
        for room in 0..<200 {
            let disk = MemoryFileSystem()
            let file = DeadLetterFile("f", limits: .init(bufferBytes: 0), fileSystem: disk)
            append(file, 1)
            disk.setFaults(.init(longestWrite: 7, capacity: room))
            append(file, 2)
            disk.setFaults(.init())
            append(file, 3)
            let refused = file.counts.lost == 1
            #expect(numbers(disk.content("f")) == (refused ? [1, 3] : [1, 2, 3]))
            #expect(file.counts.written + file.counts.lost == 3 && file.lastFailure == nil)
            if room == 0 { #expect(refused) }
        }
    }

    @Test("any one call may fail: lines are written whole or counted as lost")
    func anyCallFails() throws {
        let limits = DeadLetterLimits(fileBytes: 200, files: 2, bufferBytes: 0)
        for failing in 1...60 {
            let disk = MemoryFileSystem()
            disk.setFaults(.init(failAt: failing))
            let file = DeadLetterFile("f", limits: limits, fileSystem: disk)
            for number in 0..<12 { append(file, number) }
            #expect(file.counts.written + file.counts.lost == 12 && file.counts.lost <= 1)
            let kept = numbers(disk.content("f.1")) + numbers(disk.content("f"))
            #expect(kept == kept.sorted() && kept.last == 11 || file.counts.lost == 1)
            #expect(disk.names.count <= 2)
        }
    }

    @Test("a line over the file's limit is counted as lost")
    func tooLong() {
        let disk = MemoryFileSystem()
        let file = DeadLetterFile("f", limits: .init(fileBytes: 50), fileSystem: disk)
        append(file, 1)
        file.flush()
        #expect(file.counts.lost == 1 && disk.names.isEmpty)
    }

    @Test("on a real disk: mode, buffering, a torn line after a crash, erasing")
    func realDisk() throws {
        try withScratchDirectory { scratch in
            let path = "\(scratch)/dead.jsonl"
            let file = DeadLetterFile(path)
            append(file, 1)
            #expect(try Directory.list(scratch).isEmpty)
            file.flush()
            var status = stat()
            #expect(stat(path, &status) == 0 && status.st_mode & 0o777 == 0o600)
            try File(path, .append).writeAll(Array(#"{"time":2,"str"#.utf8))
            let next = DeadLetterFile(path)
            append(next, 3)
            next.flush()
            var content = [UInt8](repeating: 0, count: 10_000)
            let count = try content.withUnsafeMutableBytes { try File(path, .read).read(into: $0, at: 0) }
            #expect(numbers(Array(content[..<count])) == [1, 3])
            try File(path + ".1", .createExclusive).close()
            append(next, 4)
            try next.removeAll()
            next.flush()
            #expect(try Directory.list(scratch).isEmpty)
        }
    }
}
