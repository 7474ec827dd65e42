import Foundation
import Testing

@testable import FactordServer

@Suite("Configuration: documentation")
struct ConfigurationDocumentationTests {
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    @Test("The table of keys in the README is the one that `factord check --keys` prints")
    func readme() throws {
        let readme = try String(contentsOf: root.appendingPathComponent("README.md"), encoding: .utf8)
        #expect(readme.contains(Configuration.keyTable), "run `factord check --keys` and put its output into README.md")
    }

    @Test("The configurations in Deploy are in order")
    func examples() throws {
        let deploy = root.appendingPathComponent("Deploy")
        let files = try FileManager.default.contentsOfDirectory(atPath: deploy.path).filter { $0.hasSuffix(".yaml") }
        #expect(!files.isEmpty)
        for file in files { #expect(throws: Never.self) { try Configuration.load(ConfigurationSources(file: deploy.appendingPathComponent(file).path)) } }
    }
}
