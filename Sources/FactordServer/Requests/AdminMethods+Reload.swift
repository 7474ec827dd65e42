import WireFormats

extension AdminMethods {
    /// `reload`: reads the configuration anew. Answers what has changed, what waits for a restart, and how many keys may come in; an
    /// error, -32004, says why nothing has changed.
    func reload(into writer: inout JSONWriter) throws(JSONRPCError) {
        let outcome: Reloader.Outcome
        do { outcome = try reloader.reload() } catch { throw .notAvailable("nothing has changed: \(error)") }
        writer.beginObject()
        writer.key("changed")
        write(outcome.change.live, into: &writer)
        writer.key("waiting")
        write(outcome.change.waiting, into: &writer)
        writer.key("learned_otherwise_after")
        if let position = outcome.position { writer.value(position) } else { writer.null() }
        writer.key("keys")
        writer.beginObject()
        for entry in outcome.keys {
            writer.key("\(entry.role)")
            writer.beginObject()
            writer.member("keys", entry.count)
            writer.member("added", entry.added)
            writer.member("removed", entry.removed)
            writer.endObject()
        }
        writer.endObject()
        writer.endObject()
    }

    private func write(_ changes: [SettingChange], into writer: inout JSONWriter) {
        writer.beginArray()
        for change in changes {
            writer.beginObject()
            writer.member("key", change.path)
            writer.key("from")
            if let before = change.before { writer.value(before) } else { writer.null() }
            writer.key("to")
            if let after = change.after { writer.value(after) } else { writer.null() }
            writer.member("takes_effect", change.reload == .live && change.before != nil ? "now" : change.reload == .newModel ? "with a new model" : "at a restart")
            writer.endObject()
        }
        writer.endArray()
    }
}
