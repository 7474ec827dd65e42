import Glibc
import LinuxSystem
import Persistence
import Testing

/// A repeatable source of chance (splitmix64).
struct SeededRandom: RandomNumberGenerator {
    private var state: UInt64
    init(_ seed: UInt64) { state = seed }
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var word = (state ^ (state >> 30)) &* 0xBF58_476D_1CE4_E5B9
        word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
        return word ^ (word >> 31)
    }

    mutating func bytes(_ count: Int) -> [UInt8] {
        var words = (0..<(count + 7) / 8).map { _ in next() }
        return words.withUnsafeMutableBytes { Array($0.prefix(count)) }
    }
}

/// An empty directory of the real file system; removed with what the test left in it.
func withScratchDirectory(_ body: (String) throws -> Void) throws {
    let parent = getenv("TMPDIR").map { String(cString: $0) } ?? P_tmpdir
    var template = Array("\(parent)/factord-test-\(String(repeating: "X", count: 6))".utf8CString)
    let path = try #require(mkdtemp(&template).map { String(cString: $0) })
    defer { removeTree(path) }
    try body(path)
}

private func removeTree(_ path: String) {
    for name in (try? Directory.list(path)) ?? [] { removeTree("\(path)/\(name)") }
    if unlink(path) != 0 { rmdir(path) }
}

extension SnapshotWriter {
    /// Writes a whole section.
    func section(_ name: String, _ bytes: [UInt8]) throws(PersistenceError) {
        try begin(name)
        try bytes.withUnsafeBufferPointer { buffer throws(PersistenceError) in
            try append(UnsafeRawBufferPointer(buffer))
        }
        try end()
    }
}

extension SnapshotReader {
    /// A whole section.
    func bytes(_ name: String) throws -> [UInt8] {
        var bytes: [UInt8] = []
        try read(name) { bytes += $0 }
        return bytes
    }
}

/// What `body` throws, nil where it does not.
func failure(_ body: () throws(PersistenceError) -> Void) -> PersistenceError? {
    do throws(PersistenceError) {
        try body()
        return nil
    } catch {
        return error
    }
}
