public import Foundation
import LinuxSystem
public import ZeroMQ

/// Files that hold CURVE keys. What `factorctl keygen` writes is the certificate of czmq and pyzmq (`zmq.auth.load_certificate`
/// reads it); a bare key of 40 characters is read, too. Lines that begin with `#` are comments.
public enum KeyFile {
    /// The suffixes of the two files of a pair. Only `.pub` files of a directory of authorised keys are looked at.
    public static let secretSuffix = ".key", publicSuffix = ".pub"
    /// More than any such file has.
    private static let sizeLimit = 1 << 20
    private static let credential = "credential:"

    // MARK: Reading

    /// The pair of a secret key's file. `credential:NAME` stands for the file that systemd's LoadCredential= has put down.
    /// - Throws: where there is none, or where others may read it.
    public static func secret(_ name: String, environment: [String: String] = ProcessInfo.processInfo.environment) throws(KeyFileError) -> CurveKeyPair {
        var path = name, isCredential = false
        if name.hasPrefix(credential) {
            guard let directory = environment["CREDENTIALS_DIRECTORY"], !directory.isEmpty else { throw .noCredentials(name: name) }
            path = "\(directory)/\(name.dropFirst(credential.count))"
            isCredential = true
        }
        let (lines, mode) = try read(path)
        // The mode of a credential shows what an access list allows the service's user as the group's rights; nobody else gets there.
        guard mode & (isCredential ? 0o007 : 0o077) == 0 else { throw .open(path: path, mode: mode) }
        let words = lines.compactMap { value("secret-key", of: $0) ?? bare($0) }
        guard words.count == 1 else { throw .noKey(path: path, what: "a secret key") }
        let pair: CurveKeyPair?
        do throws(ZeroMQError) { pair = try CurveKeyPair(secret: words[0]) } catch { throw .unusable(path: path, reason: "\(error)") }
        guard let pair else { throw .noKey(path: path, what: "a secret key") }
        return pair
    }

    /// A public key: as it is written, or the file that holds it.
    public static func publicKey(_ text: String) throws(KeyFileError) -> CurveKey {
        if let key = CurveKey(text) { return key }
        let keys = try publicKeys(text)
        guard keys.count == 1, let key = keys.first?.key else { throw .noKey(path: text, what: "one public key") }
        return key
    }

    /// The keys that a directory (its `.pub` files) or a file (a key a line, each with a name after it) lets in, and the names of who
    /// has them.
    public static func authorised(_ path: String) throws(KeyFileError) -> [CurveKey: String] {
        guard let isDirectory = Directory.isDirectory(path) else { throw .unreadable(path: path, reason: "no such file or directory") }
        var found: [CurveKey: String] = [:]
        if isDirectory {
            let names: [String]
            do { names = try Directory.list(path) } catch { throw .unreadable(path: path, reason: "\(error)") }
            for name in names.sorted() where name.hasSuffix(publicSuffix) && !name.hasPrefix(".") {
                let keys = try publicKeys("\(path)/\(name)")
                guard !keys.isEmpty else { throw .noKey(path: "\(path)/\(name)", what: "a public key") }
                for entry in keys { found[entry.key] = entry.name ?? String(name.dropLast(publicSuffix.count)) }
            }
        } else {
            for entry in try publicKeys(path) { found[entry.key] = entry.name ?? "\(path.split(separator: "/").last ?? "")" }
        }
        return found
    }

    private static func publicKeys(_ path: String) throws(KeyFileError) -> [(key: CurveKey, name: String?)] {
        var keys: [(CurveKey, String?)] = []
        for line in try read(path).lines {
            if value("secret-key", of: line) != nil { throw .secret(path: path) }
            if line == "metadata" || line == "curve" { continue }
            if let word = value("public-key", of: line) {
                guard let key = CurveKey(word) else { throw .noKey(path: path, what: "a public key") }
                keys.append((key, nil))
                continue
            }
            let words = line.split(separator: " ", maxSplits: 1)
            guard let word = words.first, let key = CurveKey(word) else { throw .noKey(path: path, what: "a public key a line") }
            keys.append((key, words.count > 1 ? name(String(words[1])) : nil))
        }
        return keys
    }

    private static func read(_ path: String) throws(KeyFileError) -> (lines: [String], mode: UInt32) {
        let bytes: [UInt8]?, mode: UInt32
        do throws(SystemError) {
            let file = try File(path, .read)
            mode = try file.permissions()
            bytes = try file.contents(limit: sizeLimit)
        } catch {
            throw .unreadable(path: path, reason: "\(error)")
        }
        guard let bytes else { throw .unreadable(path: path, reason: "too long for a file of keys") }
        let lines = String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isNewline)
            .map { $0.trimmingCharacters(in: .whitespaces) }.filter { !$0.isEmpty && !$0.hasPrefix("#") }
        return (lines, mode)
    }

    /// What stands in quotes behind `name =`.
    private static func value(_ name: String, of line: String) -> String? {
        let parts = line.split(separator: "=", maxSplits: 1)
        guard parts.count == 2, parts[0].trimmingCharacters(in: .whitespaces) == name else { return nil }
        return parts[1].trimmingCharacters(in: .whitespaces).trimmingCharacters(in: ["\""])
    }

    private static func bare(_ line: String) -> String? { line.utf8.count == CurveKey.textCount && !line.contains("\"") ? line : nil }

    /// What can stand in a log and in an answer of ZAP.
    private static func name(_ text: String) -> String {
        String(text.prefix(64).map { $0.isASCII && ($0.isLetter || $0.isNumber || "-_.@".contains($0)) ? $0 : "_" })
    }

    // MARK: Writing

    /// Writes a new pair to `NAME.key` (mode 0600) and `NAME.pub` (0644). Neither may exist.
    public static func write(_ pair: CurveKeyPair, to name: String) throws(KeyFileError) -> (secret: String, publicKey: String) {
        let secretPath = name + secretSuffix, publicPath = name + publicSuffix
        // Both looked at before anything is written; that nothing is written over is then the system's word.
        for path in [secretPath, publicPath] where Directory.isDirectory(path) != nil { throw .exists(path: path) }
        let comment = "# factord CURVE key"
        let text = "metadata\ncurve\n    public-key = \"\(pair.publicKey)\"\n"
        try create(publicPath, "\(comment), public half: for the lists of who may come in, and for who wants to connect to its owner\n\(text)", 0o644)
        do throws(KeyFileError) {
            try create(secretPath, "\(comment), secret half: never leaves this machine\n\(text)    secret-key = \"\(pair.secretText)\"\n", 0o600)
        } catch {
            try? Directory.remove(publicPath)
            throw error
        }
        return (secretPath, publicPath)
    }

    private static func create(_ path: String, _ text: String, _ mode: UInt32) throws(KeyFileError) {
        do throws(SystemError) {
            let file = try File(path, .createExclusive, permissions: mode)
            try file.setPermissions(mode)
            try file.writeAll(Array(text.utf8))
            try file.sync()
            try file.close()
        } catch {
            if error.isExisting { throw .exists(path: path) }
            throw .unreadable(path: path, reason: "\(error)")
        }
    }
}

/// What is wrong with a file of keys. No case holds a key.
public enum KeyFileError: Error, Equatable, CustomStringConvertible {
    case unreadable(path: String, reason: String)
    case noKey(path: String, what: String)
    /// Others may read a secret.
    case open(path: String, mode: UInt32)
    /// A secret key where public ones belong.
    case secret(path: String)
    case exists(path: String)
    /// systemd has given no credentials.
    case noCredentials(name: String)
    case unusable(path: String, reason: String)

    public var description: String {
        switch self {
        case .unreadable(let path, let reason): "\(path): \(reason)"
        case .noKey(let path, let what): "\(path): \(what) of 40 characters is expected; `factorctl keygen` makes one"
        case .open(let path, let mode): "\(path): others may read the secret key (mode 0\(String(mode, radix: 8))); run: chmod 600 \(path)"
        case .secret(let path): "\(path): holds a secret key where only public ones belong; move it away, and make a new pair if others could read it"
        case .exists(let path): "\(path): exists; keys are never written over: choose another name, or move it away"
        case .noCredentials(let name): "\(name): systemd has given no credentials; put LoadCredential=\(name.dropFirst("credential:".count)):FILE into the unit"
        case .unusable(let path, let reason): "\(path): \(reason)"
        }
    }
}
