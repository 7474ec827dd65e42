import CKernels
import Testing

@testable import Factorization

typealias StreamStep = @Sendable (BatchBuilder) -> Void

/// Feeds a stream to an engine in a random order of threads that are none: who works when comes from dice.
final class GateDriver {
    let engine: Engine
    private let steps: ArraySlice<StreamStep>
    private var dice: Dice
    /// The next step of the stream.
    private(set) var next: Int
    private var batch: EventBatch?
    private var taken = 0

    init(_ engine: Engine, _ steps: ArraySlice<StreamStep>, seed: Int) {
        self.engine = engine
        self.steps = steps
        dice = Dice(seed)
        next = steps.startIndex
    }

    /// Whether the stream stands between two records that were given to the engine.
    private var isBetween: Bool { batch == nil }
    var isAtEnd: Bool { isBetween && next == steps.endIndex }

    /// One move of somebody.
    func move() {
        if dice.below(3) == 0 { sequence(upTo: 1 + dice.below(40)) } else { drain(dice.below(engine.trainers.count), upTo: 1 + dice.below(90)) }
    }

    /// Moves until the stream is through and everybody idle.
    func finish() {
        while !isAtEnd { move() }
        settle()
    }

    func settle() { for _ in 0..<3 { for trainer in engine.trainers { while trainer.drain() > 0 {} } } }

    private func drain(_ number: Int, upTo limit: Int) { _ = engine.trainers[number].drain(limit: limit) }

    private func sequence(upTo count: Int) {
        if batch == nil {
            guard next < steps.endIndex else { return }
            let builder = BatchBuilder(engine, records: count, features: AttributeLists.longest)
            let end = min(next + count, steps.endIndex)
            for step in steps[next..<end] { step(builder) }
            next = end
            batch = builder.batch
            taken = 0
        }
        taken = engine.sequencer.take(batch!, from: taken)
        if taken == batch!.recordCount { batch = nil }
    }

    /// Goes on until the sequencer stands between two batches.
    func reachBoundary() { while !isBetween { move() } }

    /// Stops every trainer at its gate, runs `body`, lets them go.
    func pause(_ body: () -> Void) {
        for trainer in engine.trainers { trainer.gate.close() }
        for trainer in engine.trainers {
            while trainer.queueDepth > 0, !trainer.gate.stand() { _ = trainer.drain(limit: 1 + dice.below(20)) }
            if trainer.queueDepth > 0 { #expect(trainer.gate.isStanding) } else { _ = trainer.drain() }
        }
        body()
        for trainer in engine.trainers { trainer.gate.open() }
    }

    /// Takes a gated capture from here on, with `moves` moves at most between two pauses. Answers the state, and where the stream
    /// goes on for it.
    func capture(moves: Int) -> (state: MemoryState, next: Int) {
        var state = MemoryState()
        reachBoundary()
        let start = next, capture = StateCapture(engine), buffer = CaptureBuffer(bytes: 1 << 12)
        defer { capture.close() }
        while let pause = capture.next {
            for _ in 0..<dice.below(moves + 1) { move() }
            while !capture.isReady { move() }
            switch pause {
            case .nobody, .sequencer: capture.copy(into: buffer)
            case .everybody: self.pause { capture.copy(into: buffer) }
            }
            for _ in 0..<dice.below(moves + 1) { move() }
            capture.emit(buffer) { state.sections[$0] = Array($1) }
        }
        #expect(!capture.isSpoilt)
        capture.emitEnd { state.sections[$0] = Array($1) }
        return (state, start)
    }
}

extension Engine {
    /// Steps counted by each row of a group.
    func updates(_ group: String, model: Int = 0) -> [UInt32] {
        let entry = models[model].groups.first { $0.name == group }!
        return (0..<UInt32(rowCount(entry.side))).map { entry.table.state($0).pointee.updates }
    }
}
