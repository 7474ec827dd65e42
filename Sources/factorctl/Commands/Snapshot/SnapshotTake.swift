import ArgumentParser
import StreamTools

struct SnapshotTake: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "take",
        abstract: "Has the daemon write a snapshot now, and waits for it.",
        discussion: "Example: factorctl snapshot take --admin ipc:///run/factord/admin.sock")

    @OptionGroup var admin: AdminOptions
    @OptionGroup var output: OutputOptions

    func run() throws {
        let result = try admin.client().call("snapshot")
        if output.json { return say(result.json) }
        var lines = TextTable(["snapshot", ""])
        for member in result.object ?? [] {
            lines.add([member.key.replacing("_", with: " "), member.value.integer.map(Quantity.grouped) ?? member.value.display])
        }
        say(lines.isEmpty ? "snapshot: \(result.display)" : lines.rendered())
    }
}
