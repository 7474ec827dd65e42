import LinuxSystem
import Logging
import Synchronization
import ZeroMQ

/// Says who may come in: one thread that answers libzmq's question for each new connection to a secured endpoint. It starts
/// before anything else is bound, and stops after the last.
///
/// Keys can be exchanged at any time; connections that stand then stay, for libzmq has no way to end one by its key.
final class Authenticator: Service {
    let name = "authenticator"
    let counters = AccessCounters()
    private let context: ZeroMQContext
    /// The daemon's keys.
    private let pair: CurveKeyPair
    private let log: Logger
    private let keys: Lock<AuthorisedKeys>
    /// Lets in the client of the self-test, while that runs.
    private let testKey = Lock<CurveKey?>(nil)
    private let thread: ServiceThread

    init(_ keys: AuthorisedKeys, pair: CurveKeyPair, context: ZeroMQContext, log: Logger) throws(SystemError) {
        self.keys = Lock(keys)
        self.context = context
        self.pair = pair
        self.log = log
        thread = try ServiceThread()
    }

    // MARK: For anyone

    /// From the next connection on.
    func use(_ keys: AuthorisedKeys) { self.keys.withLock { $0 = keys } }

    /// Keys that may come in.
    func keyCount(_ role: AccessRole) -> Int { keys.withLock { $0[role].count } }

    /// Lets a key in under the self-test's domain; nil for none.
    func admitForTest(_ key: CurveKey?) { testKey.withLock { $0 = key } }

    /// The answer to one question: a name, or nil for no.
    func judge(_ request: ZapSocket.Request) -> String? {
        if request.domain == SecuritySelfTest.domain {
            return testKey.withLock { $0 != nil && $0 == request.key } ? SecuritySelfTest.domain : nil
        }
        guard let role = AccessRole(rawValue: request.domain) else { return nil }
        let name = request.key.flatMap { key in keys.withLock { $0[role][key] } }
        counters.count(role, accepted: name != nil)
        if name == nil {
            log.warning(
                "a client was refused: its key is not among those that may come in; to let it in, add its public key and reload",
                metadata: [
                    "setting": "security.\(role.rawValue)", "address": "\(request.address)",
                    "key": "\(request.key.map(\.description) ?? "none (\(request.mechanism))")",
                ])
        }
        return name
    }

    // MARK: Service

    /// Answers from here on, and has shown that it does.
    func start() throws {
        let socket = Handover(try ZapSocket(context))
        socket.value.handOver()
        try thread.start(name) { [self] in
            do throws(ZeroMQError) {
                try run(socket.value)
            } catch {
                log.critical("nobody with a key can connect any more; restart the daemon", metadata: ["error": "\(error)"])
            }
            socket.value.close()
        }
        do {
            try SecuritySelfTest(context, pair: pair, admit: admitForTest).run()
        } catch {
            stop()
            throw error
        }
    }

    func stop() { thread.stop() }

    private func run(_ socket: ZapSocket) throws(ZeroMQError) {
        let poller = ZeroMQPoller()
        socket.add(to: poller)
        poller.add(thread.wakeUp)
        while !thread.isStopping {
            _ = try poller.wait(timeoutMilliseconds: 1000)
            thread.wakeUp.drain()
            while try socket.answer(judge) {}
        }
    }
}
