import Foundation
import StreamTools
import Testing
import ZeroMQ

/// Rows of users re-solved in idle time, by a daemon.
@Suite("Refinement")
struct DaemonRefinementTests {
    private let users = (0..<50).map { "u\($0)" }
    private let items = (0..<80).map { "i\($0)" }

    private func refined(_ daemon: DaemonProcess) throws -> (rows: Int, rounds: Int) {
        let stats = try daemon.stats()
        return (stats["models"]?.array?.first?["refined"]?.integer ?? 0, stats["refinement"]?["rounds"]?.integer ?? 0)
    }

    @Test("A round begins after so many events, is switched on and off by a reload, and comes out the same after a kill", arguments: [false, true])
    func rounds(hasSnapshot: Bool) throws {
        let daemon = try DaemonProcess(["state.journal.sync=always", "state.snapshot.interval=0s"], isStarted: false)
        daemon.configuration = daemon.folder + "/factord.yaml"
        func write(_ budget: Float) throws {
            try Data("refinement: {budget: \(budget), after: 2000}\n".utf8).write(to: URL(fileURLWithPath: daemon.folder + "/factord.yaml"))
        }
        try write(1)
        try daemon.start()
        let sender = try daemon.sender()
        try sender.deliver(eventsJSON(0..<1500))
        try daemon.wait(for: 1500)
        #expect(try refined(daemon) == (0, 0), "no round before so many events")
        try sender.deliver(eventsJSON(1500..<2500))
        #expect(try eventually { try refined(daemon).rounds == 1 })
        let first = try refined(daemon).rows, known = try daemon.stats()["tables"]?["users"]?.integer ?? 0
        #expect(first == known && known > 0, "every user once: \(first) of \(known)")
        if hasSnapshot { _ = try daemon.snapshot() }
        try sender.deliver(eventsJSON(2500..<5000))
        #expect(try eventually { try refined(daemon).rounds == 2 })
        let before = try daemon.opinion(of: users, items: items), position = try daemon.position()
        #expect(try eventually { try daemon.stats()["durable"]?.integer == position })
        try write(0)
        try daemon.kill()
        try daemon.start()
        #expect(try daemon.position() == position)
        #expect(try daemon.opinion(of: users, items: items) == before)
        try daemon.sender().deliver(eventsJSON(5000..<8000))
        try daemon.wait(for: position + 3000)
        // Longer than it waits between two looks.
        Thread.sleep(forTimeInterval: 1.5)
        #expect(try refined(daemon).rounds == 0, "switched off")
        try write(0.5)
        #expect(try daemon.adminClient().call("reload")["changed"]?.array?.count == 1)
        #expect(try eventually { try refined(daemon).rounds == 1 })
    }
}
