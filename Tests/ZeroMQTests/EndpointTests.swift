import Foundation
import LinuxSystem
import Testing
import ZeroMQ

@Suite(.timeLimit(.minutes(15)))
struct EndpointTests {
    @Test(arguments: [
        "tcp://127.0.0.1:5555", "tcp://*:5555", "tcp://127.0.0.1:*", "tcp://[::1]:5555", "tcp://host.example:1",
        "tcp://eth0:65535", "ipc:///run/factord/requests", "ipc://relative", "ipc://@abstract", "ipc://*", "inproc://name",
    ])
    func goodOnes(_ text: String) throws {
        #expect(try Endpoint(text).description == text)
    }

    @Test(arguments: [
        "", "tcp", "tcp:127.0.0.1:5555", "tcp://", "tcp://127.0.0.1", "tcp://:5555", "tcp://127.0.0.1:", "tcp://h:65536",
        "tcp://h:-1", "tcp://h:+1", "tcp://h:55x", "tcp://::1:5555", "tcp://[::1:5555", "tcp://a;b:1", "tcp://h:1/x",
        "ipc://", "ipc://a b", "inproc://", "udp://127.0.0.1:5555", "pgm://a;b:1", "TCP://127.0.0.1:1", "tipc://x", "ws://h:1",
        "ipc://" + String(repeating: "x", count: 108), "inproc://" + String(repeating: "x", count: 256), "ipc://a\0b",
    ])
    func badOnes(_ text: String) {
        #expect {
            _ = try Endpoint(text)
        } throws: { error in
            guard case ZeroMQError.badEndpoint(text, let reason) = error else { return false }
            return !reason.isEmpty && "\(error)".hasPrefix("endpoint '\(text)'")
        }
    }

    @Test func localOnes() throws {
        for text in ["tcp://127.0.0.1:1", "tcp://127.1.2.3:*", "tcp://[::1]:1", "tcp://localhost:1", "ipc://x", "inproc://x"] {
            #expect(try Endpoint(text).isLocal, "\(text)")
        }
        for text in ["tcp://*:1", "tcp://0.0.0.0:1", "tcp://10.0.0.1:1", "tcp://127.evil.example:1", "tcp://[::]:1", "tcp://lo:1"] {
            #expect(try !Endpoint(text).isLocal, "\(text)")
        }
    }

    @Test func wildcardsResolveAndCannotBeConnectedTo() throws {
        let context = try ZeroMQContext()
        for text in ["tcp://127.0.0.1:*", "tcp://127.0.0.1:0", "tcp://[::1]:*"] {
            let pull = try ZeroMQSocket(context, .pull)
            do {
                try pull.bind(text)
            } catch {
                // Machines without IPv6 exist.
                #expect(text.contains("[::1]"), "\(error)")
                continue
            }
            let resolved = try pull.lastEndpoint()
            #expect(!resolved.isWildcard)
            let push = try ZeroMQSocket(context, .push)
            try push.connect(resolved)
            #expect(try push.send("x") == .sent)
            #expect(try receiveString(pull) == "x")
            #expect {
                try push.connect(text)
            } throws: {
                if case .badEndpoint(text, _)? = $0 as? ZeroMQError { true } else { false }
            }
        }
    }

    @Test func aTCPPortInUseIsRefused() throws {
        let context = try ZeroMQContext()
        let first = try ZeroMQSocket(context, .pull)
        try first.bind("tcp://127.0.0.1:*")
        let endpoint = try first.lastEndpoint()
        let second = try ZeroMQSocket(context, .pull)
        #expect(throws: ZeroMQError.addressInUse(endpoint: endpoint.description)) { try second.bind(endpoint) }
        try first.unbind(endpoint)
        try eventually { (try? second.bind(endpoint)) != nil }
    }

    @Test func aServedPathIsNotStolen() throws {
        let folder = try ScratchFolder()
        let context = try ZeroMQContext()
        let first = try ZeroMQSocket(context, .pull)
        try first.bind(folder.endpoint("s"))
        // Another context stands for another process.
        let second = try ZeroMQSocket(try ZeroMQContext(), .pull)
        #expect(throws: ZeroMQError.addressInUse(endpoint: folder.endpoint("s"))) { try second.bind(folder.endpoint("s")) }
        // The probe has done the first no harm.
        let push = try ZeroMQSocket(context, .push)
        try push.connect(folder.endpoint("s"))
        #expect(try push.send("still here") == .sent)
        #expect(try receiveString(first) == "still here")
    }

    @Test func aStalePathIsReplacedAndOpenToTheGroupOnly() throws {
        let folder = try ScratchFolder()
        let path = folder.path + "/s"
        // What a killed process leaves: a bound socket file without a listener.
        let stale = socket(AF_UNIX, CInt(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let bound = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(stale, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
        }
        close(stale)
        try #require(bound == 0 && FileManager.default.fileExists(atPath: path))

        let context = try ZeroMQContext()
        let pull = try ZeroMQSocket(context, .pull)
        try pull.bind("ipc://\(path)")
        let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
        #expect(mode == 0o770)
        let push = try ZeroMQSocket(context, .push)
        try push.connect("ipc://\(path)")
        #expect(try push.send("x") == .sent)
        #expect(try receiveString(pull) == "x")
    }

    @Test func aFileThatIsNoSocketIsLeftAlone() throws {
        let folder = try ScratchFolder()
        let path = folder.path + "/notes"
        try Data("precious".utf8).write(to: URL(fileURLWithPath: path))
        let pull = try ZeroMQSocket(try ZeroMQContext(), .pull)
        #expect(throws: ZeroMQError.self) { try pull.bind("ipc://\(path)") }
        #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == Data("precious".utf8))
    }

    @Test func errorsNameCallAndEndpoint() throws {
        let pull = try ZeroMQSocket(try ZeroMQContext(), .pull)
        #expect {
            try pull.bind("ipc:///no/such/folder/s")
        } throws: {
            let text = "\($0)"
            return text.contains("zmq_bind ipc:///no/such/folder/s") && text.contains("No such file")
        }
    }

    @Test func versionIsKnown() {
        #expect(ZeroMQVersion.description.hasPrefix("4."))
        #expect(ZeroMQVersion.has("ipc"))
        #expect(!ZeroMQVersion.has("nonsense"))
    }
}
