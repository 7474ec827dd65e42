import LinuxSystem
import Synchronization
import ZeroMQ

/// What a client may do: each has sockets and keys of its own.
enum AccessRole: String, CaseIterable, Sendable {
    /// Send events to streams.
    case publish
    /// Ask on the reply socket.
    case query
    /// Change state on the admin socket.
    case admin

    /// The domain under which an endpoint of the role asks who may come in.
    var domain: String { rawValue }

    fileprivate var place: Int {
        switch self {
        case .publish: 0
        case .query: 1
        case .admin: 2
        }
    }
}

/// Who may come in, by role.
struct AuthorisedKeys: Sendable, Equatable {
    /// Names by key.
    private var byRole: [[CurveKey: String]] = AccessRole.allCases.map { _ in [:] }

    init() {}

    /// Reads the files anew that a configuration names.
    init(_ configuration: Configuration.Security) throws(SecurityError) {
        let paths = [(AccessRole.publish, configuration.publish), (.query, configuration.query), (.admin, configuration.admin)]
        for (role, path) in paths where !path.isEmpty {
            do throws(KeyFileError) {
                self[role] = try KeyFile.authorised(path)
            } catch {
                throw .keys(setting: "security.\(role.rawValue)", error)
            }
        }
    }

    subscript(role: AccessRole) -> [CurveKey: String] {
        get { byRole[role.place] }
        set { byRole[role.place] = newValue }
    }
}

/// How many came in and how many were refused, by role. Anyone reads; the authenticator's thread writes.
final class AccessCounters: Sendable {
    private let acceptedPublish = Atomic<Int>(0), acceptedQuery = Atomic<Int>(0), acceptedAdmin = Atomic<Int>(0)
    private let refusedPublish = Atomic<Int>(0), refusedQuery = Atomic<Int>(0), refusedAdmin = Atomic<Int>(0)

    func accepted(_ role: AccessRole) -> Int {
        switch role {
        case .publish: acceptedPublish.load(ordering: .relaxed)
        case .query: acceptedQuery.load(ordering: .relaxed)
        case .admin: acceptedAdmin.load(ordering: .relaxed)
        }
    }

    func refused(_ role: AccessRole) -> Int {
        switch role {
        case .publish: refusedPublish.load(ordering: .relaxed)
        case .query: refusedQuery.load(ordering: .relaxed)
        case .admin: refusedAdmin.load(ordering: .relaxed)
        }
    }

    func count(_ role: AccessRole, accepted: Bool) {
        switch (role, accepted) {
        case (.publish, true): acceptedPublish.add(1, ordering: .relaxed)
        case (.query, true): acceptedQuery.add(1, ordering: .relaxed)
        case (.admin, true): acceptedAdmin.add(1, ordering: .relaxed)
        case (.publish, false): refusedPublish.add(1, ordering: .relaxed)
        case (.query, false): refusedQuery.add(1, ordering: .relaxed)
        case (.admin, false): refusedAdmin.add(1, ordering: .relaxed)
        }
    }
}

/// How the endpoints of the daemon are secured: tcp with keys, and ipc where that is asked for; without it the rights of the
/// socket's file decide.
struct EndpointSecurity: Sendable {
    /// The daemon's own.
    let pair: CurveKeyPair
    let includesIPC: Bool

    func server(_ role: AccessRole, at endpoint: Endpoint) -> SocketSecurity {
        isAsked(at: endpoint) ? .server(pair, domain: role.domain) : .none
    }

    private func isAsked(at endpoint: Endpoint) -> Bool {
        switch endpoint.transport {
        case .tcp: true
        case .ipc: includesIPC
        case .inproc: false
        }
    }

    /// In the order in which one socket can bind them: those that ask for no keys come first.
    func bindable(_ endpoints: [Endpoint]) -> [Endpoint] { endpoints.filter { !isAsked(at: $0) } + endpoints.filter(isAsked) }
}

extension ZeroMQSocket {
    /// Binds endpoints for clients of a role. Without keys as they are.
    func bind(_ endpoints: [String], for role: AccessRole, _ security: EndpointSecurity?) throws(ZeroMQError) {
        var all: [Endpoint] = []
        for endpoint in endpoints { all.append(try Endpoint(endpoint)) }
        for endpoint in security?.bindable(all) ?? all {
            if let security { try secure(security.server(role, at: endpoint)) }
            try bind(endpoint)
        }
    }
}

/// Why a daemon with keys does not start, or does not take new ones.
enum SecurityError: Error, Equatable, CustomStringConvertible {
    /// libzmq was built without CURVE.
    case noCurve
    case keys(setting: String, KeyFileError)
    /// The test at the start let somebody in who has no key, or kept out somebody who has.
    case selfTest(String)

    var description: String {
        switch self {
        case .noCurve:
            "security.server_key is set, and the libzmq of this machine (\(ZeroMQVersion.description)) was built without CURVE: install one with it, as Debian's libzmq5 is"
        case .keys(let setting, let error): "\(setting): \(error)"
        case .selfTest(let what): "the security's self-test failed: \(what); nothing was bound. Restart the daemon; if that does not help, run `factorctl keygen` for a new security.server_key, and report it"
        }
    }
}
