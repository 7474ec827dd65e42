import ArgumentParser
import StreamTools

struct Reload: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Has the daemon read its configuration, and the files of keys, anew.",
        discussion: """
            What SIGHUP does, with an answer: what has changed, and what waits for a restart. Where anything is wrong with the
            configuration, nothing changes, and the exit status is not 0. `factord check --keys` says which keys change live.

            Example: factorctl reload
            """)

    @OptionGroup var admin: AdminOptions
    @OptionGroup var output: OutputOptions

    func run() throws {
        let answer = try admin.client().call("reload")
        if output.json { return say(answer.json) }
        let changed = answer["changed"]?.array ?? [], waiting = answer["waiting"]?.array ?? []
        for change in changed { say("changed \(text(change))") }
        if let position = answer["learned_otherwise_after"]?.integer { say("events after position \(position) are learned so") }
        for (role, keys) in (answer["keys"]?.object ?? []).map({ ($0.key, $0.value) }) {
            let added = keys["added"]?.integer ?? 0, removed = keys["removed"]?.integer ?? 0
            if added + removed > 0 { say("keys to \(role): \(added) new, \(removed) gone, \(keys["keys"]?.integer ?? 0) in all") }
        }
        for change in waiting { say("waits for a restart: \(text(change))\(change["takes_effect"]?.string == "with a new model" ? ", and for a new state" : "")") }
        if changed.isEmpty && waiting.isEmpty { say("nothing to change") }
    }

    private func text(_ change: JSONTree) -> String {
        "\(change["key"]?.string ?? ""): \(change["from"]?.string ?? "none") -> \(change["to"]?.string ?? "none")"
    }
}
