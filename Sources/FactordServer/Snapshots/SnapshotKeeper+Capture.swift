import Factorization
import LinuxSystem
import Persistence

/// How a state is copied.
///
/// * `gates`: piece by piece, 1 MiB at a time, each in a pause of a quarter of a millisecond; learning goes on between them, and the
///   journal has what a start needs to make one state of the pieces. Where there is no journal, or its disk is sick, exact.
/// * `deterministic`: everything at once, into memory that is there already, and then written out: an exact position, bit for bit,
///   at the price of a longer pause and of the memory.
extension SnapshotKeeper {
    func capture(into store: SnapshotStore) throws(PersistenceError) -> Written {
        var attempts = 0
        while true {
            let isGated = settings.mode == .gates && journal.map { !$0.isDegraded } ?? false
            do throws(PersistenceError) {
                return try isGated ? captureGated(into: store) : captureExact(into: store)
            } catch .contentRefused(let file, let reason) {
                attempts += 1
                if attempts == 3 { throw .contentRefused(file: file, reason: reason) }
            }
        }
    }

    /// How many times as fast as other pieces ids are written.
    private static let idHaste = 4

    private func captureGated(into store: SnapshotStore) throws(PersistenceError) -> Written {
        let start = MonotonicClock.nanoseconds
        var ledger = Ingest.Ledger(), begun: StateCapture?
        ingest.betweenBatches {
            ledger = $0
            begun = StateCapture(engine)
        }
        guard let capture = begun else { preconditionFailure("a capture begins") }
        defer { _ = ingest.pause(.sequencer) { capture.close() } }
        let buffer = CaptureBuffer()
        var pauses: [Int64] = []
        var end = ledger
        let size = UInt64(capture.expectedBytes)
        let stored = try write(ledger, capture.position, size, store) { () throws(PersistenceError) in
            if let place = end.journal { try journal?.makeDurable(place) }
            // What is missing in the journal is missing between the pieces.
            if journal?.isDegraded ?? true { throw .contentRefused(file: store.directory, reason: "the journal failed meanwhile") }
        } body: { (writer) throws(PersistenceError) in
            while let who = capture.next {
                while !capture.isReady { MonotonicClock.sleep(microseconds: 200) }
                buffer.reserve(capture.expected)
                // Until all ids are copied, the sequencer notes what changes, in bounded memory: that goes faster.
                writer.haste = who == .sequencer ? (capture.isPressed ? nil : Self.idHaste) : 1
                let pause = ingest.pause(who) { capture.copy(into: buffer) }
                if who == .everybody { pauses.append(pause) }
                if capture.isSpoilt { throw .contentRefused(file: writer.path, reason: "counts were rescaled meanwhile") }
                try capture.emit(buffer) { (name, bytes) throws(PersistenceError) in try writer.section(name, bytes) }
            }
            try capture.emitEnd { (name, bytes) throws(PersistenceError) in try writer.section(name, bytes) }
            ingest.betweenBatches { end = $0 }
        }
        return try finish(stored, ledger, store, capture.position, pauses, start, isExact: false)
    }

    private func captureExact(into store: SnapshotStore) throws(PersistenceError) -> Written {
        let start = MonotonicClock.nanoseconds
        pool.prepare(StateCapture.expectedBytes(engine), lanes: Parallel.threads)
        var ledger = Ingest.Ledger(), copied: (capture: StateCapture, copies: [CaptureBuffer])?, pause: Int64 = 0
        ingest.whileIdle {
            let stopped = MonotonicClock.nanoseconds
            ledger = $0
            let copy = ExactCopy(engine, into: pool)
            Parallel.forEach(pool.lanes.count, name: "copying") { copy.copy(lane: $0) }
            copied = copy.finish()
            pause = MonotonicClock.nanoseconds - stopped
        }
        guard let (capture, copies) = copied else { preconditionFailure("a capture is made while idle") }
        defer { _ = ingest.pause(.sequencer) { capture.close() } }
        let stored = try write(ledger, capture.position, UInt64(capture.expectedBytes), store) { () throws(PersistenceError) in
            if let place = ledger.journal { try journal?.makeDurable(place) }
        } body: { (writer) throws(PersistenceError) in
            for buffer in copies {
                try capture.emit(buffer) { (name, bytes) throws(PersistenceError) in try writer.section(name, bytes) }
            }
            try capture.emitEnd { (name, bytes) throws(PersistenceError) in try writer.section(name, bytes) }
        }
        return try finish(stored, ledger, store, capture.position, [pause], start, isExact: true)
    }

    private func write(
        _ ledger: Ingest.Ledger, _ position: UInt64, _ size: UInt64, _ store: SnapshotStore, beforeRename: () throws(PersistenceError) -> Void,
        body: (SnapshotWriter) throws(PersistenceError) -> Void
    ) throws(PersistenceError) -> StoredSnapshot {
        let rate = settings.rate.bytes > 0 && !isEnding ? SnapshotWriteRate(bytesPerSecond: UInt64(settings.rate.bytes)) : nil
        let small = settingSections + ledger.sections
        return try store.write(
            SnapshotHeader(position: position), expectedSize: size + UInt64(small.reduce(0) { $0 + $1.bytes.count }), rate: rate,
            beforeRename: beforeRename
        ) { (writer) throws(PersistenceError) in
            for section in small {
                try section.bytes.withUnsafeBufferPointer { (bytes) throws(PersistenceError) in
                    try writer.section(section.name, UnsafeRawBufferPointer(bytes))
                }
            }
            try body(writer)
        }
    }

    private func finish(
        _ stored: StoredSnapshot, _ ledger: Ingest.Ledger, _ store: SnapshotStore, _ position: UInt64, _ pauses: [Int64], _ start: Int64,
        isExact: Bool
    ) throws(PersistenceError) -> Written {
        if let place = ledger.journal, let oldest = try store.list().last {
            journal?.snapshotStands(place, retainedFrom: oldest.position)
        }
        let end = MonotonicClock.nanoseconds
        return Written(
            position: position, path: stored.path, bytes: stored.size, pauses: PauseReport(pauses), seconds: Double(end - start) / 1e9,
            verifySeconds: Double(stored.verifyNanoseconds) / 1e9, pruneSeconds: Double(stored.pruneNanoseconds) / 1e9, isExact: isExact,
            finished: end)
    }
}

/// How long learning stood still for one snapshot.
struct PauseReport: Sendable, Equatable {
    var count = 0
    var medianMilliseconds = 0.0
    var p999Milliseconds = 0.0
    var longestMilliseconds = 0.0
    var totalMilliseconds = 0.0

    init(_ nanoseconds: [Int64]) {
        let sorted = nanoseconds.sorted()
        guard let longest = sorted.last else { return }
        func at(_ share: Double) -> Double { Double(sorted[min(sorted.count - 1, Int(Double(sorted.count) * share))]) / 1e6 }
        count = sorted.count
        medianMilliseconds = at(0.5)
        p999Milliseconds = at(0.999)
        longestMilliseconds = Double(longest) / 1e6
        totalMilliseconds = Double(sorted.reduce(0, +)) / 1e6
    }
}

extension SnapshotWriter {
    /// Writes a whole section.
    fileprivate func section(_ name: String, _ bytes: UnsafeRawBufferPointer) throws(PersistenceError) {
        try begin(name)
        try append(bytes)
        try end()
    }
}
