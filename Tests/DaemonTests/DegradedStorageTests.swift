import Foundation
import Glibc
import StreamTools
import Testing
import ZeroMQ

/// A small file system in memory, which a test can fill; gone with this object.
final class SmallDisk {
    let path: String

    /// Nil where the process may not mount.
    init?(mebibytes: Int) throws {
        path = NSTemporaryDirectory() + "/factord-disk-\(UUID().uuidString.prefix(8))"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        let mounting = try RunningProgram(
            "/bin/mount", ["-t", "tmpfs", "-o", "size=\(mebibytes)m,mode=700", "tmpfs", path], logs: NSTemporaryDirectory())
        let ending = try mounting.wait()
        mounting.removeLogs()
        guard ending == .exited(0) else {
            try FileManager.default.removeItem(atPath: path)
            return nil
        }
    }

    deinit {
        if let unmounting = try? RunningProgram("/bin/umount", ["-l", path], logs: NSTemporaryDirectory()) {
            _ = try? unmounting.wait()
            unmounting.removeLogs()
        }
        try? FileManager.default.removeItem(atPath: path)
    }

    private var filler: String { path + "/filler" }

    /// Leaves no room.
    func fill() throws {
        let descriptor = open(filler, O_WRONLY | O_CREAT | O_APPEND, 0o600)
        guard descriptor >= 0 else { throw Unexpected("\(filler) cannot be opened: errno \(errno)") }
        defer { close(descriptor) }
        for size in [1 << 16, 1 << 12, 1] {
            let bytes = [UInt8](repeating: 1, count: size)
            while write(descriptor, bytes, size) == size {}
        }
    }

    func makeRoom() throws { try FileManager.default.removeItem(atPath: filler) }
}

@Suite("Degraded storage")
struct DegradedStorageTests {
    @Test("A full disk: acknowledged streams say degraded, pull waits, sub learns, requests are answered; with room again all heals")
    func fullDisk() throws {
        guard let disk = try SmallDisk(mebibytes: 24) else { return print("not tested: this process may not mount a file system") }
        let daemon = try DaemonProcess(isStarted: false)
        daemon.settings = [
            "state.journal.segment_bytes=1MiB", "state.snapshot.interval=0s", "model.rank=4",
            "streams.0.pattern=acknowledged", "streams.1.name=pull", "streams.1.endpoint=ipc://\(daemon.folder)/pull",
            "streams.2.name=sub", "streams.2.endpoint=ipc://\(daemon.folder)/sub", "streams.2.pattern=sub", "state.journal.interval=50ms",
        ]
        // The state's place, and nothing else, lies on the small disk.
        try FileManager.default.createSymbolicLink(atPath: daemon.state, withDestinationPath: disk.path)
        try daemon.start()
        let publisher = try RawClient(to: daemon.events, daemon.context)
        let pull = try daemon.sender("ipc://\(daemon.folder)/pull")
        let sub = try ZeroMQSocket(daemon.context, .pub, options: .publisher)
        try sub.connect("ipc://\(daemon.folder)/sub")
        #expect(try publisher.ask(AcknowledgedTests.message("p", seq: 1))["status"]?.string == "ok")
        let isJoined = try eventually { () -> Bool in
            try sub.deliver(#"{"user":"s","item":"joined"}"#)
            return try daemon.unknown(among: ["joined"]).isEmpty
        }
        #expect(isJoined)

        // Journal segments are reserved as they are made, so what is there must be used up first.
        try disk.fill()
        var seq = 2, degradedAt: Int?
        while degradedAt == nil, seq < 3000 {
            let answer = try publisher.ask(AcknowledgedTests.message("p", seq: seq, events: 40))
            switch answer["status"]?.string {
            case "ok": seq += 1
            case "degraded": degradedAt = seq
            default: throw Unexpected("seq \(seq): \(answer.json)")
            }
        }
        let stuck = try #require(degradedAt)
        let stats = try daemon.stats()
        #expect(stats["degraded"]?.string == "storage", "\(stats["journal"]?.json ?? "")")
        #expect(stats["degraded_reason"]?.string?.isEmpty == false)
        #expect(try daemon.client().call("ping")["degraded"]?.string == "storage")
        let readiness = try HTTPClient(path: daemon.http).ask("GET", "/readyz")
        #expect(readiness.status == 503 && readiness.body.hasPrefix("degraded: storage: "), "\(readiness)")
        #expect(try publisher.ask(AcknowledgedTests.message("p", seq: stuck, events: 40))["status"]?.string == "degraded")
        try pull.deliver(#"{"user":"u","item":"pulled"}"#)
        let isHeard = try eventually { () -> Bool in
            try sub.deliver(#"{"user":"s","item":"heard"}"#)
            return try daemon.unknown(among: ["heard"]).isEmpty
        }
        #expect(isHeard)
        usleep(300_000)
        #expect(try daemon.unknown(among: ["pulled"]) == ["pulled"])
        #expect(try daemon.stats()["journal"]?["learned_not_durable"]?.integer ?? 0 > 0)

        try disk.makeRoom()
        let isHealed = try eventually(seconds: 20) { try daemon.stats()["degraded"] == nil }
        #expect(isHealed, "\(daemon.log)")
        let isSaved = try eventually(seconds: 20) { try daemon.stats()["snapshot"]?["count"]?.integer ?? 0 > 0 }
        #expect(isSaved, "\(daemon.log)")
        var answer = try publisher.ask(AcknowledgedTests.message("p", seq: stuck, events: 40))
        for _ in 0..<100 where answer["status"]?.string == "degraded" {
            usleep(50_000)
            answer = try publisher.ask(AcknowledgedTests.message("p", seq: stuck, events: 40))
        }
        #expect(["ok", "duplicate"].contains(answer["status"]?.string), "\(answer.json)")
        #expect(try publisher.ask(AcknowledgedTests.message("p", seq: stuck + 1))["status"]?.string == "ok")
        let isPulled = try eventually { try daemon.unknown(among: ["pulled"]).isEmpty }
        #expect(isPulled)
        // Nothing that was acknowledged is lost, and neither is what was learned meanwhile.
        try daemon.kill()
        try daemon.start()
        #expect(try daemon.unknown(among: ["heard", "joined"]) == [])
        for seq in 2...stuck { #expect(try daemon.unknown(among: AcknowledgedTests.items("p", seqs: [seq], events: 40)) == [], "\(seq)") }
        #expect(try publisher.ask(AcknowledgedTests.message("p", seq: stuck + 1))["status"]?.string == "duplicate")
        #expect(daemon.log.contains("critical") == false)
        try daemon.stop()
    }
}
