import Logging
import ZeroMQ

/// What keeps strangers out, made from a configuration: keys are read, nothing runs yet.
struct SecurityParts {
    /// Of all sockets of the daemon, for the authenticator is asked by its own context alone.
    let context: ZeroMQContext
    /// Both nil without keys.
    let endpoints: EndpointSecurity?
    let authenticator: Authenticator?
    /// Who may come in.
    let keys: AuthorisedKeys

    init(_ configuration: Configuration.Security, log: Logger) throws {
        context = try ZeroMQContext()
        guard !configuration.serverKey.isEmpty else {
            endpoints = nil
            authenticator = nil
            keys = AuthorisedKeys()
            return
        }
        try SecuritySelfTest.requireCurve()
        let pair: CurveKeyPair
        do { pair = try KeyFile.secret(configuration.serverKey) } catch { throw SecurityError.keys(setting: "security.server_key", error) }
        keys = try AuthorisedKeys(configuration)
        for role in AccessRole.allCases where keys[role].isEmpty {
            log.notice("no key may come in over tcp; put public keys there and reload, if somebody is to", metadata: ["setting": "security.\(role.rawValue)"])
        }
        endpoints = EndpointSecurity(pair: pair, includesIPC: configuration.ipc)
        authenticator = try Authenticator(keys, pair: pair, context: context, log: log)
        log.notice("tcp endpoints ask for keys", metadata: ["server_key": "\(pair.publicKey)"])
    }
}
