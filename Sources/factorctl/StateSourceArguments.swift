import ArgumentParser
import FactordServer
import Factorization
import StreamTools

/// Where a state is read from: a state directory or a snapshot, or a running daemon, which then writes one.
struct StateSourceArguments: ParsableArguments {
    @Option(help: ArgumentHelp("A state directory, whose newest snapshot is read, or a snapshot's path; without it the running daemon writes one.", valueName: "path"))
    var state: String?
    @OptionGroup var admin: AdminOptions

    func read() throws -> OfflineState {
        let progress = ByteProgress(label: "read")
        defer { progress.finish() }
        if let state { return try OfflineState(state, progress: progress.callAsFunction) }
        guard let path = try admin.client().call("snapshot")["path"]?.string else { throw ValidationError("the daemon does not say where its snapshot is") }
        return try OfflineState(path, progress: progress.callAsFunction)
    }

    /// The number of a model by its name; the first for none.
    func model(_ name: String?, in engine: Engine) throws -> Int {
        guard let name else { return 0 }
        guard let number = engine.models.firstIndex(where: { $0.settings.name == name }) else {
            throw ValidationError("--model \(name): there is \(engine.models.map(\.settings.name).joined(separator: ", "))")
        }
        return number
    }
}
