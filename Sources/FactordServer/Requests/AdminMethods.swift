import WireFormats

/// The state-changing methods, on a socket of their own: `ping`, `snapshot`, `forget`, `promote`, `reload`. Belongs to the admin socket's thread.
final class AdminMethods: RequestMethods {
    private let keeper: SnapshotKeeper
    private let eraser: Eraser
    let promoter: Promoter
    let reloader: Reloader

    init(keeper: SnapshotKeeper, eraser: Eraser, promoter: Promoter, reloader: Reloader) {
        self.keeper = keeper
        self.eraser = eraser
        self.promoter = promoter
        self.reloader = reloader
    }

    func answer(_ request: JSONRPCRequest, waiting: WaitState, into writer: inout JSONWriter) throws(JSONRPCError) {
        switch request.methodName {
        case "ping":
            writer.beginObject()
            writer.member("pong", true)
            writer.endObject()
        case "snapshot":
            let stored: SnapshotKeeper.Written
            do { stored = try keeper.write() } catch { throw .internalError("no snapshot was written: \(error)") }
            writer.beginObject()
            writer.member("position", stored.position)
            writer.member("path", stored.path)
            writer.member("bytes", stored.bytes)
            writer.member("exact", stored.isExact)
            writer.member("pauses", stored.pauses.count)
            writer.member("pause_ms", stored.pauses.longestMilliseconds)
            writer.member("seconds", stored.seconds)
            writer.member("verify_seconds", stored.verifySeconds)
            writer.member("prune_seconds", stored.pruneSeconds)
            writer.endObject()
        case "forget": try forget(request, into: &writer)
        case "promote": try promote(request, into: &writer)
        case "reload": try reload(into: &writer)
        default: throw .methodNotFound(request.methodName)
        }
    }

    /// `{"user": ID}` or `{"item": ID}`; with `"erase": true` answered when nothing on disk names the id any more.
    private func forget(_ request: JSONRPCRequest, into writer: inout JSONWriter) throws(JSONRPCError) {
        let parameters = try JSONRPCParameters(of: request)
        guard (parameters.value("user") == nil) != (parameters.value("item") == nil) else {
            throw .invalidParams("params: either user or item is expected")
        }
        let isUser = parameters.value("user") != nil, isErased = try parameters.bool("erase", default: false)
        guard let key = try parameters.key(isUser ? "user" : "item", policy: eraser.ids, hashing: eraser.hashing) else { return }
        let position = eraser.forget(key, isUser: isUser)
        writer.beginObject()
        writer.member("position", position)
        if isErased {
            let erased: Eraser.Erased
            do { erased = try eraser.erase(key) } catch { throw .internalError("forgotten, but not erased from disk: \(error)") }
            writer.key("erased")
            writer.beginObject()
            let counts: [(StaticString, Int)] = [
                ("snapshots", erased.snapshots), ("segments", erased.segments), ("dead_letters", erased.deadLetters),
                ("explorations", erased.explorations),
            ]
            for (name, count) in counts {
                writer.key(name)
                writer.value(count)
            }
            writer.endObject()
        }
        writer.endObject()
    }
}
