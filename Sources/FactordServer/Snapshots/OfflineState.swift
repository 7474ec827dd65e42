public import Factorization
import LinuxSystem
public import Persistence

/// A daemon's state without the daemon: snapshots read into an engine of this process, and written for a daemon to start from.
public struct OfflineState {
    public let engine: Engine
    /// What was learned under.
    public let configuration: Configuration
    /// The snapshot's file.
    public let path: String

    /// Reads a snapshot.
    /// - Parameters:
    ///   - state: a state directory, of which the newest snapshot is read; or a snapshot's own path.
    ///   - progress: called while its bytes are read.
    /// - Throws: what is wrong with the file; nothing is written or locked.
    public init(_ state: String, progress: @escaping ReadProgress = { _, _ in }) throws {
        let path = try OfflineState.newest(state)
        let reader = try SnapshotReader(path)
        SnapshotReader.report([reader], to: progress)
        guard let text = try reader.text(LearningConfiguration.section) else { throw StateError.missing(section: LearningConfiguration.section) }
        configuration = try LearningConfiguration.load(text, from: path)
        var settings = configuration.engineSettings
        settings.trainers = 1
        engine = Engine(settings: settings)
        try engine.restore(from: SnapshotSource(reader: reader))
        // Written while learning went on: its pieces stand at their own positions, which is as good for whoever looks.
        engine.abandonWindow()
        self.path = path
    }

    private static func newest(_ state: String) throws -> String {
        let directory = "\(state)/snapshots"
        guard let names = try? Directory.list(directory) else { return state }
        guard let newest = names.compactMap(SnapshotName.init(fileName:)).max() else { throw OfflineStateError.noSnapshot(directory) }
        return "\(directory)/\(newest.fileName)"
    }

    /// Writes an engine's state as the first snapshot of a new state directory.
    /// - Parameters:
    ///   - configuration: whose engine it is; the daemon needs the same model settings.
    ///   - state: the state directory; made where it is missing, refused where it holds a state.
    /// - Returns: the snapshot's path and size.
    @discardableResult
    public static func write(_ engine: Engine, _ configuration: Configuration, to state: String) throws -> (path: String, bytes: UInt64) {
        for part in ["snapshots", "journal"] {
            let found = ((try? Directory.list("\(state)/\(part)")) ?? []).filter { !$0.hasPrefix(".") && $0 != "quarantine" }
            if !found.isEmpty { throw OfflineStateError.notEmpty("\(state)/\(part)") }
        }
        let store = try SnapshotStore(directory: "\(state)/snapshots")
        let image = engine.capture()
        let small: [(String, [UInt8])] = [
            (LastingSettings.section, LastingSettings.encode(configuration.lastingSettings)),
            (LearningConfiguration.section, Array(LearningConfiguration.text(configuration).utf8)),
            (Recovery.sourcesSection, SourceTable(limit: configuration.state.sources).encoded()),
        ]
        let header = SnapshotHeader(position: engine.sequencer.lastPosition)
        let stored = try store.write(header) { (writer) throws(PersistenceError) in
            for (name, bytes) in small { try bytes.withUnsafeBufferPointer { (bytes) throws(PersistenceError) in try writer.whole(name, UnsafeRawBufferPointer(bytes)) } }
            for section in image.sections { try writer.whole(section.name, image.bytes(section)) }
        }
        return (stored.path, stored.size)
    }
}

extension SnapshotWriter {
    fileprivate func whole(_ name: String, _ bytes: UnsafeRawBufferPointer) throws(PersistenceError) {
        try begin(name)
        try append(bytes)
        try end()
    }
}

enum OfflineStateError: Error, CustomStringConvertible {
    case noSnapshot(String)
    case notEmpty(String)

    var description: String {
        switch self {
        case .noSnapshot(let directory): "\(directory) holds no snapshot; a running daemon writes one with `factorctl snapshot`"
        case .notEmpty(let directory): "\(directory) holds a state already; name a new directory, or move it aside"
        }
    }
}
