import Foundation
import Testing

@testable import FactordServer

/// What Deploy puts on a machine, held against the program that it is for.
@Suite("Packaging")
struct PackagingTests {
    private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    private func text(_ path: String) throws -> String {
        try String(contentsOf: Self.root.appendingPathComponent(path), encoding: .utf8)
    }

    private func load(_ text: String) throws -> LoadedConfiguration {
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("factord-\(UUID().uuidString).yaml")
        try text.write(to: file, atomically: true, encoding: .utf8)
        defer { try? FileManager.default.removeItem(at: file) }
        return try Configuration.load(ConfigurationSources(file: file.path))
    }

    @Test("The example configuration is in order, and what it shows as defaults are the defaults")
    func example() throws {
        let example = try text("Deploy/systemd/factord.yaml")
        let loaded = try load(example)
        #expect(loaded.warnings.isEmpty, "\(loaded.warnings)")
        // Keys behind a bare #, taken in.
        let lines = example.split(separator: "\n", omittingEmptySubsequences: false)
        let whole = lines.map { $0.replacing(#/^( *)#(?=[a-z_]+:)/#) { $0.output.1 } }.joined(separator: "\n")
        #expect(whole != example)
        #expect(try load(whole).configuration == loaded.configuration)
        // Beside the paths, all of it is what the daemon does without a file.
        var plain = Configuration()
        plain.requests.endpoints = ["tcp://127.0.0.1:5561", "ipc:///run/factord/requests.sock"]
        plain.admin.endpoint = "ipc:///run/factord/admin.sock"
        plain.state.directory = "/var/lib/factord"
        let printed = try load(plain.yaml(commented: false)).configuration
        #expect(loaded.configuration.yaml(commented: false) == printed.yaml(commented: false))
    }

    @Test("factord@.service is factord.service with an instance's names")
    func template() throws {
        func settings(_ text: String) -> [Substring] { text.split(separator: "\n").filter { !$0.hasPrefix("#") } }
        let plain = try text("Deploy/systemd/factord.service"), template = try text("Deploy/systemd/factord@.service")
        let derived = plain.replacing("/etc/factord/factord.yaml", with: "/etc/factord/%i.yaml")
            .replacing("StateDirectory=factord", with: "StateDirectory=factord-%i")
            .replacing("RuntimeDirectory=factord", with: "RuntimeDirectory=factord-%i")
            .replacing("live streams", with: "live streams (%i)")
        #expect(settings(template) == settings(derived))
    }

    @Test("Units do not start again what a restart does not help, and say where they keep things as the configuration does")
    func unit() throws {
        let unit = try text("Deploy/systemd/factord.service"), configuration = try load(text("Deploy/systemd/factord.yaml")).configuration
        #expect(unit.contains("RestartPreventExitStatus=64 65 78\n"))
        #expect(configuration.state.directory == "/var/lib/factord" && unit.contains("StateDirectory=factord\n"))
        #expect(configuration.admin.endpoint == "ipc:///run/factord/admin.sock" && unit.contains("RuntimeDirectory=factord\n"))
    }

    @Test("The version is that of the newest entry in the changelog")
    func version() throws {
        let changelog = try text("Deploy/debian/changelog")
        #expect(changelog.hasPrefix("factord (\(FactordVersion.text)) "))
    }

    @Test("Links between the pages of the documentation lead somewhere")
    func links() throws {
        let folder = Self.root.appendingPathComponent("Deploy/Documentation")
        let pages = try FileManager.default.contentsOfDirectory(atPath: folder.path).filter { $0.hasSuffix(".md") }
        #expect(pages.contains("operate.md"))
        for page in pages {
            let text = try String(contentsOf: folder.appendingPathComponent(page), encoding: .utf8)
            for link in text.matches(of: #/\]\(([^)#:]+)(#[^)]*)?\)/#) {
                let target = folder.appendingPathComponent(String(link.output.1)).path
                #expect(FileManager.default.fileExists(atPath: target), "\(page): \(link.output.1)")
            }
        }
    }
}
