import Synchronization
import WireFormats

extension StatsReport {
    /// Clients with keys, by role: how many may come in, and how many connections were let in and turned away; zeros without keys. And how often
    /// the configuration was read anew.
    func writeAccess(_ writer: inout JSONWriter) {
        let authenticator = authenticator, reloader = reloader
        writer.key("access")
        writer.beginObject()
        writer.member("keys_asked", authenticator != nil)
        writeByRole("keys", &writer) { authenticator?.keyCount($0) }
        writeByRole("admitted", &writer) { authenticator?.counters.accepted($0) }
        writeByRole("turned_away", &writer) { authenticator?.counters.refused($0) }
        writer.endObject()
        writer.key("reloads")
        writer.beginObject()
        writer.member("taken", reloader?.succeeded.load(ordering: .relaxed) ?? 0)
        writer.member("refused", reloader?.refused.load(ordering: .relaxed) ?? 0)
        writer.endObject()
    }

    private func writeByRole(_ name: String, _ writer: inout JSONWriter, _ count: (AccessRole) -> Int?) {
        writer.key(name)
        writer.beginObject()
        for role in AccessRole.allCases {
            writer.key(role.rawValue)
            writer.value(count(role) ?? 0)
        }
        writer.endObject()
    }
}
