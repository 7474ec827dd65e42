import WireFormats

/// The state-changing methods, on a socket of their own: `ping`, `snapshot`. Belongs to the admin socket's thread.
final class AdminMethods: RequestMethods {
    private let keeper: SnapshotKeeper

    init(keeper: SnapshotKeeper) { self.keeper = keeper }

    func answer(_ request: JSONRPCRequest, waiting: WaitState, into writer: inout JSONWriter) throws(JSONRPCError) {
        switch request.methodName {
        case "ping":
            writer.beginObject()
            writer.key("pong")
            writer.value(true)
            writer.endObject()
        case "snapshot":
            let stored: SnapshotKeeper.Written
            do { stored = try keeper.write() } catch { throw .internalError("no snapshot was written: \(error)") }
            writer.beginObject()
            writer.key("position")
            writer.value(stored.position)
            writer.key("path")
            writer.value(stored.path)
            writer.key("bytes")
            writer.value(stored.bytes)
            writer.key("exact")
            writer.value(stored.isExact)
            writer.key("pauses")
            writer.value(stored.pauses.count)
            writer.key("pause_ms")
            writer.value(stored.pauses.longestMilliseconds)
            writer.key("seconds")
            writer.value(stored.seconds)
            writer.endObject()
        default: throw .methodNotFound(request.methodName)
        }
    }
}
