import Foundation
import Testing

/// The manual pages, made from these programs as the package makes them.
@Suite("Manual pages")
struct ManualTests {
    private static let deploy = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("Deploy").path

    @Test("Every command, option and key is in a page; one that is taken out is missed")
    func everyOption() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("factord-\(UUID().uuidString)").path
        let pages = folder + "/man"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        func run(_ script: String) throws -> RunningProgram {
            let program = try RunningProgram("/usr/bin/python3", ["\(Self.deploy)/\(script)", RunningProgram.folder, pages], logs: folder)
            _ = try program.wait(seconds: 120)
            return program
        }
        let made = try run("manual")
        #expect(made.poll() == .exited(0), "\(made.standardError)")
        let checked = try run("manual-check")
        #expect(checked.poll() == .exited(0), "\(checked.standardError)")
        // The check is worth something only if it misses what is not there.
        let file = pages + "/factorctl-recommend.1"
        let page = try String(contentsOfFile: file, encoding: .utf8)
        try page.replacing("exclude\\-seen", with: "other").write(toFile: file, atomically: true, encoding: .utf8)
        let missed = try run("manual-check")
        #expect(missed.poll() == .exited(1) && missed.standardError.contains("--exclude-seen"), "\(missed.standardError)")
    }
}
