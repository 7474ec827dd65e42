import ArgumentParser
import FactordServer
import Foundation
import ZeroMQ

/// The keys for endpoints that ask for them.
struct KeyOptions: ParsableArguments {
    @Option(help: ArgumentHelp(
        "The daemon's public key, or the file that holds it.",
        discussion: "Default: $FACTORD_SERVER_KEY. With it, tcp endpoints are talked to by CURVE.", valueName: "key or file"))
    var serverKey: String?

    @Option(help: ArgumentHelp(
        "The file of your secret key, as `factorctl keygen` makes it.", discussion: "Default: $FACTORD_KEY.", valueName: "file"))
    var key: String?

    @Flag(help: "Use the keys on ipc endpoints, too, as a daemon with security.ipc asks for.")
    var ipcKeys = false

    /// How to connect to an endpoint.
    func security(for endpoint: String) throws -> SocketSecurity {
        guard endpoint.hasPrefix("tcp:") || ipcKeys else { return .none }
        let environment = ProcessInfo.processInfo.environment
        let server = serverKey ?? environment["FACTORD_SERVER_KEY"] ?? "", own = key ?? environment["FACTORD_KEY"] ?? ""
        if server.isEmpty, own.isEmpty { return .none }
        guard !server.isEmpty else { throw ValidationError("--server-key: missing beside --key; it is in the .pub file of the daemon's pair, and in its log") }
        guard !own.isEmpty else { throw ValidationError("--key: missing beside --server-key; `factorctl keygen` makes one") }
        return .client(try KeyFile.secret(own), server: try KeyFile.publicKey(server))
    }
}
