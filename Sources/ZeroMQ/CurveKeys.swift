internal import CZeroMQ

/// One half of a CURVE key pair: 32 bytes, written as 40 characters of Z85. Prints as a public key does; a secret one never
/// leaves `CurveSecret`.
public struct CurveKey: Hashable, Sendable, CustomStringConvertible {
    /// 32 of them.
    public let bytes: [UInt8]

    public static let byteCount = 32
    /// Characters of the written form.
    public static let textCount = 40

    public init?(bytes: some Collection<UInt8>) {
        guard bytes.count == CurveKey.byteCount else { return nil }
        self.bytes = Array(bytes)
    }

    /// Nil for what is not 40 characters of Z85.
    public init?(_ text: some StringProtocol) {
        guard let bytes = CurveKey.decode(text) else { return nil }
        self.bytes = bytes
    }

    public var description: String { CurveKey.encode(bytes) }

    static func decode(_ text: some StringProtocol) -> [UInt8]? {
        guard text.utf8.count == textCount else { return nil }
        let bytes = [UInt8](unsafeUninitializedCapacity: byteCount) { buffer, count in
            count = zmq_z85_decode(buffer.baseAddress, String(text)) == nil ? 0 : byteCount
        }
        // libzmq 4.3 lets some characters through that are none of Z85's: what was meant reads back as it was written.
        return bytes.count == byteCount && encode(bytes) == text ? bytes : nil
    }

    static func encode(_ bytes: [UInt8]) -> String {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: textCount + 1) { text in
            bytes.withUnsafeBufferPointer { _ = zmq_z85_encode(text.baseAddress, $0.baseAddress, byteCount) }
            return String(cString: text.baseAddress!)
        }
    }
}

/// A key pair whose secret half is shown only where that is asked for by name: not in a message, a dump or a debugger's view of it.
public struct CurveKeyPair: Sendable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    public let publicKey: CurveKey
    /// Z85.
    let secret: String

    /// A new one.
    /// - Throws: `failed` where libzmq was built without CURVE.
    public init() throws(ZeroMQError) {
        var publicText = "", secretText = ""
        try withUnsafeTemporaryAllocation(of: CChar.self, capacity: 2 * (CurveKey.textCount + 1)) { (text) throws(ZeroMQError) in
            let (first, second) = (text.baseAddress!, text.baseAddress! + CurveKey.textCount + 1)
            defer { text.update(repeating: 0) }
            try requireZeroMQ("zmq_curve_keypair") { zmq_curve_keypair(first, second) }
            (publicText, secretText) = (String(cString: first), String(cString: second))
        }
        guard let key = CurveKey(publicText) else { preconditionFailure("libzmq makes keys that it can read") }
        (publicKey, secret) = (key, secretText)
    }

    /// The pair of a secret key in Z85; nil for what is none.
    /// - Throws: `failed` where libzmq was built without CURVE.
    public init?(secret text: some StringProtocol) throws(ZeroMQError) {
        guard CurveKey.decode(text) != nil else { return nil }
        let secret = String(text)
        var publicText = ""
        try withUnsafeTemporaryAllocation(of: CChar.self, capacity: CurveKey.textCount + 1) { (buffer) throws(ZeroMQError) in
            try requireZeroMQ("zmq_curve_public") { zmq_curve_public(buffer.baseAddress, secret) }
            publicText = String(cString: buffer.baseAddress!)
        }
        guard let key = CurveKey(publicText) else { return nil }
        publicKey = key
        self.secret = secret
    }

    /// The secret half in Z85, for the file that keeps it and for nothing else.
    public var secretText: String { secret }

    /// The public half: a pair that gets into a message by mistake tells no secret.
    public var description: String { publicKey.description }
    public var debugDescription: String { description }
    public var customMirror: Mirror { Mirror(self, children: ["publicKey": publicKey]) }
}

/// How the peers of an endpoint prove who they are.
public enum SocketSecurity: Sendable {
    /// Not at all.
    case none
    /// Serves CURVE clients; which of them may come in is asked at the context's `ZapSocket`, under a domain that is not empty.
    /// Nobody comes in where nobody answers there.
    case server(CurveKeyPair, domain: String)
    /// Connects to a CURVE server of that public key.
    case client(CurveKeyPair, server: CurveKey)
}

/// `ZMQ_ZAP_ENFORCE_DOMAIN`, which the header of libzmq 4.3.4 leaves to drafts though the library knows it.
private let zapEnforceDomain: CInt = 93

extension ZeroMQSocket {
    /// How peers of the endpoints that are bound or connected from here on prove who they are. Endpoints before stay as they are, so that
    /// open ones may come first; none can come after secured ones, for libzmq 4.3.4 forgets no domain.
    ///
    /// **Fail closed**: CURVE without an answer at `inproc://zeromq.zap.01` lets every key in, unless a domain is set and enforced; and
    /// an enforced domain that is empty lets every key in without asking (both libzmq 4.3.4). So a domain is never empty here.
    public func secure(_ security: SocketSecurity) throws(ZeroMQError) {
        switch security {
        case .none:
            precondition(!isSecured, "endpoints without keys come before those with")
        case .server(let pair, let domain):
            precondition(!domain.isEmpty, "an empty domain that is enforced lets everybody in")
            try serve(pair, domain: domain, enforcesDomain: true)
        case .client(let pair, let server):
            noteSecured()
            try setText(ZMQ_CURVE_SERVERKEY, server.description)
            try setText(ZMQ_CURVE_PUBLICKEY, pair.publicKey.description)
            try setText(ZMQ_CURVE_SECRETKEY, pair.secret)
        }
    }

    /// What `secure` does for a server, for any domain: most of them let strangers in, as the tests show.
    func serve(_ pair: CurveKeyPair, domain: String, enforcesDomain: Bool) throws(ZeroMQError) {
        noteSecured()
        try set(ZMQ_CURVE_SERVER, 1)
        try setText(ZMQ_CURVE_SECRETKEY, pair.secret)
        if !domain.isEmpty { try setText(ZMQ_ZAP_DOMAIN, domain) }
        try set(zapEnforceDomain, enforcesDomain ? 1 : 0)
    }

    /// The value stands in no error: it may be a secret.
    private func setText(_ option: CInt, _ value: String) throws(ZeroMQError) {
        try requireZeroMQ("zmq_setsockopt", "\(kind.rawValue) option \(option)") {
            zmq_setsockopt(handle, option, value, value.utf8.count)
        }
    }
}
