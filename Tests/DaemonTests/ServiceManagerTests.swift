import Foundation
import Glibc
import Testing

/// What a service manager is told, and that no thread can stand still without it.
@Suite("Under a service manager")
struct ServiceManagerTests {
    private static let stopper = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("Systemd/stop_thread.py").path

    /// Threads of libzmq have no loop of ours, and the one that looks after the others is looked after by the service manager.
    private static func isWatched(_ name: String) -> Bool { !name.hasPrefix("ZMQ") && name != "watchdog" }

    private static func threads(of process: pid_t) throws -> Set<String> {
        let folder = "/proc/\(process)/task"
        return Set(try FileManager.default.contentsOfDirectory(atPath: folder).compactMap {
            try? String(contentsOfFile: "\(folder)/\($0)/comm", encoding: .utf8).trimmingCharacters(in: .newlines)
        })
    }

    @Test("Ready, alive, a status; stopping, and time for it")
    func words() throws {
        let daemon = try DaemonProcess(isStarted: false)
        let notify = try NotifySocket(daemon.folder + "/notify")
        daemon.environment = ["NOTIFY_SOCKET": notify.path, "WATCHDOG_USEC": "2000000"]
        try daemon.start()
        #expect(notify.wait(for: "READY=1") != nil)
        #expect(notify.wait(for: "WATCHDOG=1") != nil)
        try daemon.sender().deliver(eventsJSON(0..<1500))
        try daemon.wait(for: 1500)
        #expect(notify.wait(for: "STATUS=position 1,500, ") != nil)
        daemon.program?.signal(SIGTERM)
        #expect(notify.wait(for: "STOPPING=1") != nil)
        #expect(try daemon.program?.wait() == .exited(0))
    }

    @Test("Exposure of the units by systemd-analyze: at most 1.2 with TCP, at most 0.3 with the drop-in for ipc alone")
    func exposure() throws {
        let analyze = "/usr/bin/systemd-analyze", files = FileManager.default
        guard files.isExecutableFile(atPath: analyze) else { return print("skipped: there is no \(analyze)") }
        let deploy = URL(fileURLWithPath: Self.stopper).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("Deploy/systemd").path
        let daemon = try DaemonProcess(isStarted: false), root = daemon.folder + "/root"
        let units = root + "/usr/lib/systemd/system", changes = root + "/etc/systemd/system/factord.service.d"
        for folder in [units, changes] { try files.createDirectory(atPath: folder, withIntermediateDirectories: true) }
        try files.copyItem(atPath: deploy + "/factord.service", toPath: units + "/factord.service")
        for (threshold, dropIn) in [(12, nil), (3, "examples/ipc-only.conf")] {
            if let dropIn { try files.copyItem(atPath: "\(deploy)/\(dropIn)", toPath: changes + "/10.conf") }
            let judged = try RunningProgram(
                analyze, ["security", "--root=\(root)", "--offline=true", "--threshold=\(threshold)", "factord.service"], logs: daemon.folder)
            #expect(try judged.wait() == .exited(0), "\(judged.standardOutput)\(judged.standardError)")
            #expect(judged.standardOutput.contains("exposure level"))
        }
    }

    @Test("A watchdog that is meant for another process is none of this one's")
    func notAsked() throws {
        let daemon = try DaemonProcess(isStarted: false)
        let notify = try NotifySocket(daemon.folder + "/notify")
        daemon.environment = ["NOTIFY_SOCKET": notify.path, "WATCHDOG_USEC": "300000", "WATCHDOG_PID": "1"]
        try daemon.start()
        // With that time it would have come to a judgement long before this status.
        #expect(notify.wait(for: "STATUS=position") != nil)
    }

    @Test("Whichever thread stands still, the service manager is told to restart; when it goes on, all is well")
    func stoppedThreads() throws {
        let daemon = try DaemonProcess(["threads.scorers=2", "threads.receivers=1"], isStarted: false)
        let notify = try NotifySocket(daemon.folder + "/notify")
        daemon.environment = ["NOTIFY_SOCKET": notify.path, "WATCHDOG_USEC": "2400000"]
        try daemon.start()
        let process = try #require(daemon.program?.processID)
        let threads = try Self.threads(of: process).filter(Self.isWatched)
        for name in ["factord", "receiver 0", "trainer 0", "journal", "journal watch", "snapshots", "requests", "scorer-0", "scan 0", "admin", "http", "explorations"] {
            #expect(threads.contains(name), "\(threads)")
        }
        for name in threads.sorted() {
            let stopper = try RunningProgram("/usr/bin/python3", [Self.stopper, "\(process)", name], logs: daemon.folder)
            let isStopped = eventually { stopper.standardOutput.contains("stopped") || stopper.poll() != nil }
            guard isStopped, stopper.poll() == nil else {
                // Yama, or a container, keeps everyone from tracing: nothing can be shown here.
                if stopper.standardError.contains("Operation not permitted") { return print("skipped: \(stopper.standardError)") }
                throw Unexpected("\(name): \(stopper.standardError)")
            }
            notify.forget()
            let shown = name == "factord" ? "main" : name
            #expect(notify.wait(for: "STATUS=stuck: \(shown)") != nil, "\(name) stands still and nobody noticed:\n\(daemon.log)")
            // On a busy machine others may be slow, too; this one stays.
            let told = "thread=\(shown.contains(" ") ? "\"\(shown)\"" : shown)\n"
            #expect(eventually { daemon.log.contains(told) }, "\(name)")
            if name != "http" {
                let answer = try HTTPClient(path: daemon.http).ask("GET", "/livez")
                #expect(answer.status == 503 && answer.body.contains(shown), "\(name): \(answer.status) \(answer.body)")
            }
            stopper.signal(SIGTERM)
            _ = try stopper.wait()
            notify.forget()
            #expect(notify.wait(for: "WATCHDOG=1") != nil, "\(name) goes on")
        }
        #expect(try daemon.stop() == .exited(0))
    }
}
