import LinuxSystem
import Logging
import Testing
import ZeroMQ

@testable import FactordServer

@Suite("Who may come in")
struct AuthenticatorTests {
    let context: ZeroMQContext, pair: CurveKeyPair
    let log = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    init() throws {
        context = try ZeroMQContext()
        pair = try CurveKeyPair()
    }

    private func request(_ domain: String, _ key: CurveKey?) -> ZapSocket.Request {
        ZapSocket.Request(domain: domain, address: "10.0.0.7", mechanism: key == nil ? "NULL" : "CURVE", key: key)
    }

    @Test("Each role has keys of its own; what came in and what did not is counted")
    func roles() throws {
        let keys = try AccessRole.allCases.map { _ in try CurveKeyPair().publicKey }
        var listed = AuthorisedKeys()
        for (role, key) in zip(AccessRole.allCases, keys) { listed[role] = [key: role.rawValue] }
        let authenticator = try Authenticator(listed, pair: pair, context: context, log: log)
        for (role, key) in zip(AccessRole.allCases, keys) {
            for other in AccessRole.allCases {
                #expect(authenticator.judge(request(other.domain, key)) == (other == role ? role.rawValue : nil), "\(role) at \(other)")
            }
            #expect(authenticator.judge(request(role.domain, nil)) == nil)
        }
        for domain in ["", "publisher", "factord", SecuritySelfTest.domain] { #expect(authenticator.judge(request(domain, keys[0])) == nil) }
        for role in AccessRole.allCases {
            #expect(authenticator.counters.accepted(role) == 1)
            #expect(authenticator.counters.refused(role) == 3)
            #expect(authenticator.keyCount(role) == 1)
        }
        authenticator.use(AuthorisedKeys())
        for (role, key) in zip(AccessRole.allCases, keys) { #expect(authenticator.judge(request(role.domain, key)) == nil) }
    }

    @Test("The self-test passes with the daemon's authenticator, and leaves no key behind")
    func selfTest() throws {
        let authenticator = try Authenticator(AuthorisedKeys(), pair: pair, context: context, log: log)
        try authenticator.start()
        authenticator.stop()
        let other = try CurveKeyPair()
        #expect(authenticator.judge(request(SecuritySelfTest.domain, other.publicKey)) == nil)
    }

    @Test("A handler that does not answer, and one that lets everybody in, stop the start")
    func badHandlers() throws {
        // Somebody has taken the handler's place and says nothing.
        let silent = try ZeroMQSocket(context, .rep)
        try silent.bind(ZapSocket.endpoint)
        #expect(throws: SecurityError.self) {
            try SecuritySelfTest(context, pair: pair, milliseconds: 300) { _ in }.run()
        }
        #expect(throws: (any Error).self) { try Authenticator(AuthorisedKeys(), pair: pair, context: context, log: log).start() }
        silent.close()

        let lax = try ZeroMQContext()
        let thread = try EveryoneComesIn(lax)
        defer { thread.stop() }
        do {
            try SecuritySelfTest(lax, pair: pair) { _ in }.run()
            Issue.record("the self-test let a handler pass that lets everybody in")
        } catch let error as SecurityError {
            #expect("\(error)".contains("a client with a key that is not listed got in"))
        }
    }

    @Test("A libzmq without CURVE stops the start, with what to install")
    func withoutCurve() {
        #expect(throws: SecurityError.noCurve) { try SecuritySelfTest.requireCurve { $0 != "curve" } }
        #expect("\(SecurityError.noCurve)".contains("libzmq5"))
        #expect(throws: Never.self) { try SecuritySelfTest.requireCurve() }
    }

    private final class EveryoneComesIn: Sendable {
        private let stopping = Lock(false)
        private let thread = Lock<SystemThread?>(nil)

        init(_ context: ZeroMQContext) throws {
            let socket = Handover(try ZapSocket(context))
            socket.value.handOver()
            let started = try SystemThread(name: "lax") { [self] in
                let poller = ZeroMQPoller()
                socket.value.add(to: poller)
                while !stopping.withLock({ $0 }) {
                    _ = try? poller.wait(timeoutMilliseconds: 10)
                    while (try? socket.value.answer { _ in "anybody" }) == true {}
                }
                socket.value.close()
            }
            thread.withLock { $0 = started }
        }

        func stop() {
            stopping.withLock { $0 = true }
            thread.withLock { $0 }?.join()
        }
    }
}
