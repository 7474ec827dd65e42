import Foundation
import Glibc
import StreamTools
import Testing

/// Snapshots that are copied while learning goes on.
@Suite("Snapshot gates")
struct SnapshotGateTests {
    /// The word that an interaction adds to a sum, as README has it.
    private func mix(_ position: Int, _ ordinal: Int) -> UInt64 {
        var z = UInt64(position) &* 0x9E37_79B9_7F4A_7C15 &+ UInt64(ordinal)
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    @Test("A snapshot of a moving state, kill -9, and the journal: every event is learned once", arguments: 1...3)
    func everyEventOnce(_ trainers: Int) throws {
        let daemon = try DaemonProcess([
            "threads.trainers=\(trainers)", "state.snapshot.rate=1MiB", "state.journal.sync=always", "state.snapshot.on_shutdown=false",
        ])
        let sender = try daemon.sender(), count = 60_000
        var random = SystemRandomNumberGenerator()
        let events = (0..<count).map { _ in (user: Int.random(in: 0..<9000, using: &random), item: Int.random(in: 0..<3000, using: &random)) }
        // They wait in the transport's queues while the daemon learns.
        for start in stride(from: 0, to: count, by: 200) {
            let bodies = events[start..<start + 200].map { #"{"user":\#($0.user),"item":\#($0.item)}"# }
            try sender.deliver("[\(bodies.joined(separator: ","))]")
        }
        try daemon.wait(for: 2000)
        let answer = try daemon.adminClient().call("snapshot"), position = answer["position"]?.integer ?? 0
        #expect(answer["exact"]?.bool == false && (answer["pauses"]?.integer ?? 0) > 5, "\(answer.json)")
        #expect(try daemon.position() > position, "nothing was learned meanwhile")
        try daemon.wait(for: count)
        let proof = try daemon.stats()["models"]?.array?[0]["proof"]
        try daemon.kill()
        try daemon.start()
        #expect(try daemon.position() >= count)
        // The program's own sums are the same as before, and as the list of events gives them.
        #expect(try daemon.stats()["models"]?.array?[0]["proof"] == proof)
        var users: [Int: Int] = [:], items: [Int: Int] = [:]
        var sums = (users: [UInt64](repeating: 0, count: 64), items: [UInt64](repeating: 0, count: 64))
        for (index, event) in events.enumerated() {
            let user = users[event.user, default: users.count], item = items[event.item, default: items.count]
            users[event.user] = user
            items[event.item] = item
            sums.users[user % 64] &+= mix(index + 1, user)
            sums.items[item % 64] &+= mix(index + 1, item)
        }
        func words(_ sums: [UInt64]) -> JSONTree { .array(sums.map { .string(String($0, radix: 16)) }) }
        #expect(proof?["users"] == words(sums.users) && proof?["items"] == words(sums.items))
    }

    @Test("factorctl lists, checks and compares snapshots") func verbs() throws {
        let daemon = try DaemonProcess(["state.snapshot.on_shutdown=false"])
        let sender = try daemon.sender()
        for round in 1...2 {
            try sender.deliver(eventsJSON((round - 1) * 500..<round * 500))
            try daemon.wait(for: round * 500)
            try daemon.snapshot()
        }
        func factorctl(_ arguments: String...) throws -> (ending: RunningProgram.Ending?, output: String) {
            let program = try RunningProgram("factorctl", ["snapshot"] + arguments + ["--state", daemon.state], logs: daemon.folder)
            return (try program.wait(), program.standardOutput)
        }
        let list = try factorctl("list")
        #expect(list.ending == .exited(0) && list.output.contains("1,000") && list.output.contains("500"))
        let verified = try factorctl("verify", "1")
        #expect(verified.ending == .exited(0) && verified.output.contains("good") && verified.output.contains("model/main/users/factors"))
        let diff = try factorctl("diff", "2", "1", "--json")
        #expect(diff.output.contains("model/main/items/factors") && diff.output.contains("largest_change"))
        #expect(try factorctl("diff", "1", "1").output.contains("no difference"))
        let path = "\(daemon.snapshots)/\(try daemon.snapshotNames().last!)"
        let file = try #require(FileHandle(forUpdatingAtPath: path))
        try file.seek(toOffset: 5000)
        let byte = try #require(try file.read(upToCount: 1)?.first)
        try file.seek(toOffset: 5000)
        try file.write(contentsOf: Data([byte ^ 1]))
        try file.close()
        #expect(try factorctl("verify", "1").ending == .exited(65))
    }
}
