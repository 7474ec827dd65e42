import Foundation
import Testing

/// `threads.pin` as the kernel sees it.
@Suite("Threads bound to processors")
struct PinningTests {
    /// Names of the daemon's threads, and the processors that each may use.
    private func threads(of daemon: DaemonProcess) throws -> [(name: String, processors: String)] {
        guard let process = daemon.program?.processID else { throw Unexpected("no daemon runs") }
        return try FileManager.default.contentsOfDirectory(atPath: "/proc/\(process)/task").map { thread in
            let status = try String(contentsOfFile: "/proc/\(process)/task/\(thread)/status", encoding: .utf8)
            func field(_ name: String) -> String {
                status.split(separator: "\n").first { $0.hasPrefix(name + ":") }?.split(separator: ":").last?
                    .trimmingCharacters(in: .whitespaces) ?? ""
            }
            return (field("Name"), field("Cpus_allowed_list"))
        }
    }

    @Test("auto and a list bind trainers first, then receivers; nothing is bound without")
    func pins() throws {
        let daemon = try DaemonProcess()
        let free = try threads(of: daemon)
        let all = try #require(free.first { $0.name == "trainer 0" }).processors
        #expect(free.allSatisfy { $0.processors == all }, "\(free)")
        let first = String(all.prefix { $0.isNumber })
        for pin in ["auto", "[\(first)]"] {
            daemon.settings = ["threads.pin=\(pin)"]
            try daemon.restart()
            let bound = try threads(of: daemon)
            #expect(bound.first { $0.name == "trainer 0" }?.processors == first, "\(pin): \(bound)")
            let receiver = try #require(bound.first { $0.name == "receiver 0" })
            // A list of one leaves the receiver free, as does a machine with one processor.
            #expect((receiver.processors == all) == (pin != "auto" || first == all), "\(pin): \(bound)")
            #expect(bound.first { $0.name == "requests" }?.processors == all, "\(pin): \(bound)")
            try daemon.sender().deliver(#"{"user":1,"item":"\#(pin.count)"}"#)
            #expect(try eventually { try daemon.unknown(among: ["\(pin.count)"]).isEmpty })
        }
    }
}
