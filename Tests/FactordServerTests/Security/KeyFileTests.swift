import Foundation
import Testing
import ZeroMQ

@testable import FactordServer

@Suite("Files of keys")
struct KeyFileTests {
    let folder: URL

    init() throws {
        folder = FileManager.default.temporaryDirectory.appendingPathComponent("keys-\(UUID().uuidString.prefix(8))")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    }

    private func path(_ name: String) -> String { folder.appendingPathComponent(name).path }

    private func write(_ text: String, _ name: String, mode: Int = 0o600) throws -> String {
        try Data(text.utf8).write(to: folder.appendingPathComponent(name))
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path(name))
        return path(name)
    }

    private func mode(_ path: String) throws -> Int? {
        try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
    }

    /// The error's words, which must not hold the secret.
    private func fault(keeping secret: String = "\u{0}", _ body: () throws -> Void) -> String {
        do {
            try body()
            return "no error"
        } catch {
            #expect(!"\(error)".contains(secret) && !String(reflecting: error).contains(secret))
            return "\(error)"
        }
    }

    @Test("A pair is written for its owner, read back, and never written over")
    func pair() throws {
        let pair = try CurveKeyPair()
        let files = try KeyFile.write(pair, to: path("ann"))
        #expect(try mode(files.secret) == 0o600)
        #expect(try mode(files.publicKey) == 0o644)
        #expect(try KeyFile.secret(files.secret).publicKey == pair.publicKey)
        #expect(try KeyFile.publicKey(files.publicKey) == pair.publicKey)
        #expect(try KeyFile.publicKey("\(pair.publicKey)") == pair.publicKey)
        #expect(try !String(contentsOfFile: files.publicKey, encoding: .utf8).contains(pair.secretText))
        let before = try String(contentsOfFile: files.secret, encoding: .utf8)
        for other in ["ann", "bob"] {
            if other == "bob" { _ = try write("x", "bob.pub") }
            #expect(fault { _ = try KeyFile.write(CurveKeyPair(), to: path(other)) }.contains("never written over"))
        }
        #expect(try String(contentsOfFile: files.secret, encoding: .utf8) == before)
        #expect(!FileManager.default.fileExists(atPath: path("bob.key")))
    }

    @Test("A secret that others may read is refused, a missing or wrong one too, and no message shows it")
    func secret() throws {
        let pair = try CurveKeyPair(), secret = pair.secretText
        #expect(try KeyFile.secret(write("# mine\n\(secret)\n", "bare")).publicKey == pair.publicKey)
        for mode in [0o640, 0o604, 0o620, 0o666] {
            let file = try write(secret, "open", mode: mode)
            #expect(fault(keeping: secret) { _ = try KeyFile.secret(file) }.contains("chmod 600"), "\(mode)")
        }
        let wrong = try write("secret-key = \"\(secret.dropLast())\"", "wrong")
        #expect(fault(keeping: String(secret.dropLast())) { _ = try KeyFile.secret(wrong) }.contains("40 characters"))
        #expect(fault { _ = try KeyFile.secret(path("none")) }.contains("No such file"))
    }

    @Test("credential:NAME is what systemd's LoadCredential= has put down")
    func credential() throws {
        let pair = try CurveKeyPair()
        // systemd gives a service's own user its rights by an access list, which shows as the group's.
        _ = try write(pair.secretText, "server", mode: 0o440)
        let environment = ["CREDENTIALS_DIRECTORY": folder.path]
        #expect(try KeyFile.secret("credential:server", environment: environment).publicKey == pair.publicKey)
        #expect(fault { _ = try KeyFile.secret("credential:server", environment: [:]) }.contains("LoadCredential=server:FILE"))
        _ = try write(pair.secretText, "server", mode: 0o444)
        #expect(fault(keeping: pair.secretText) { _ = try KeyFile.secret("credential:server", environment: environment) }.contains("others may read"))
    }

    @Test("A list of who may come in: a directory of .pub files, or a file with a key a line")
    func authorised() throws {
        let (ann, bob) = (try CurveKeyPair(), try CurveKeyPair())
        _ = try KeyFile.write(ann, to: path("ann"))
        _ = try KeyFile.write(bob, to: path("bob"))
        _ = try write("nonsense", "notes.txt")
        #expect(try KeyFile.authorised(folder.path) == [ann.publicKey: "ann", bob.publicKey: "bob"])
        let list = try write("# who may ask\n\(ann.publicKey) ann at home\n\n\(bob.publicKey)\n", "list")
        #expect(try KeyFile.authorised(list) == [ann.publicKey: "ann_at_home", bob.publicKey: "list"])
        #expect(try KeyFile.authorised(write("# nobody\n", "empty")).isEmpty)
    }

    @Test("A list that cannot be read in full lets nobody in: a missing one, a bad line, a secret key in it")
    func badLists() throws {
        let pair = try CurveKeyPair()
        #expect(fault { _ = try KeyFile.authorised(path("none")) }.contains("no such file or directory"))
        let bad = try write("\(pair.publicKey)\nnot a key\n", "bad")
        #expect(fault { _ = try KeyFile.authorised(bad) }.contains("a public key a line"))
        let files = try KeyFile.write(pair, to: path("ann"))
        #expect(fault(keeping: pair.secretText) { _ = try KeyFile.authorised(files.secret) }.contains("only public ones"))
        _ = try write("metadata\n", "hollow.pub")
        #expect(fault { _ = try KeyFile.authorised(folder.path) }.contains("hollow.pub"))
    }
}
