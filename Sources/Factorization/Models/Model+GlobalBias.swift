import CKernels
import Synchronization

/// The words of w0, in two cache lines of their own.
struct GlobalWords: ~Copyable {
    /// w0, a Float's bits.
    let bias = Atomic<UInt32>(0)
    /// AdaGrad's accumulator of w0, a Float's bits.
    let accumulator = Atomic<UInt32>(0)
    /// Steps of w0; counted where a schedule asks for them.
    let updates = Atomic<UInt32>(0)

    static func allocate() -> UnsafeMutablePointer<GlobalWords> {
        let words = UnsafeMutableRawPointer.allocate(byteCount: 128, alignment: 128).bindMemory(to: GlobalWords.self, capacity: 1)
        words.initialize(to: GlobalWords())
        return words
    }
}

/// The global bias w0: one atomic word for all trainers.
extension Model {
    /// The global bias w0.
    public var bias: Float { Float(bitPattern: global.pointee.bias.load(ordering: .relaxed)) }

    /// Moves w0 against the error of one event, by the optimiser's formula for a weight.
    @inline(__always)
    func stepBias(error: Float) {
        var rate = pace.globalRate
        if settings.optimizer != .sgd {
            let sum = Model.add(error * error, to: global.pointee.accumulator, keeping: accumulatorKeep)
            rate /= sum.squareRoot() + 1e-12
        } else if settings.steps.horizon > 0 {
            let updates = global.pointee.updates.wrappingAdd(1, ordering: .relaxed).oldValue
            rate /= 1 + Float(updates) / settings.steps.horizon
        }
        _ = Model.add(-rate * error, to: global.pointee.bias)
    }

    /// Asks for w0 to be written: another trainer's core has it, as a rule.
    @inline(__always)
    func claimGlobal() { fk_claim(global) }

    /// Gives w0 what a run of events has changed. As `to` says where nobody else changed it from `from`, so that one trainer alone
    /// loses no bit.
    func moveBias(from: Float, by change: Float, to: Float) { Model.move(global.pointee.bias, from, change, to) }
    /// The same for the accumulator of w0.
    func moveAccumulator(from: Float, by change: Float, to: Float) { Model.move(global.pointee.accumulator, from, change, to) }

    private static func move(_ word: borrowing Atomic<UInt32>, _ from: Float, _ change: Float, _ to: Float) {
        let moved = word.compareExchange(expected: from.bitPattern, desired: to.bitPattern, ordering: .relaxed)
        if !moved.exchanged { _ = add(change, to: word) }
    }

    /// word = keep × word + amount.
    @inline(__always)
    private static func add(_ amount: Float, to word: borrowing Atomic<UInt32>, keeping keep: Float = 1) -> Float {
        var bits = word.load(ordering: .relaxed)
        while true {
            let sum = keep * Float(bitPattern: bits) + amount
            let (exchanged, original) = word.weakCompareExchange(expected: bits, desired: sum.bitPattern, ordering: .relaxed)
            if exchanged { return sum }
            bits = original
        }
    }

    /// Bias, accumulator and count of steps, as a snapshot holds them.
    var globalState: (bias: Float, accumulator: Float, updates: UInt32) {
        (bias, Float(bitPattern: global.pointee.accumulator.load(ordering: .relaxed)), global.pointee.updates.load(ordering: .relaxed))
    }
    func restoreGlobalState(bias: Float, accumulator: Float, updates: UInt32) {
        global.pointee.bias.store(bias.bitPattern, ordering: .relaxed)
        global.pointee.accumulator.store(accumulator.bitPattern, ordering: .relaxed)
        global.pointee.updates.store(updates, ordering: .relaxed)
    }

    /// Schedule, half-life and ftrl as the kernels take them. The sampling-free mode has steps of its own, without schedules.
    var kernelOptions: fk_options {
        var options = fk_options()
        let steps = settings.steps, ftrl = settings.weightFtrl
        let isScheduled = settings.optimizer == .sgd && steps.horizon > 0 && settings.unobserved == .sampled
        options.special = isScheduled || accumulatorKeep < 1 || ftrl != nil ? 1 : 0
        options.inverse_horizon = isScheduled ? 1 / steps.horizon : 0
        options.keep = accumulatorKeep
        if let ftrl {
            options.ftrl = fk_ftrl(inverse_alpha: 1 / ftrl.alpha, beta: ftrl.beta, l1: ftrl.l1, l2: ftrl.l2)
            options.sparse = ftrl.sparseFactors ? 1 : 0
        }
        options.rank = UInt32(items.rank)
        options.width = UInt32(items.width)
        options.tail = UInt32(items.tail)
        options.tail_width = UInt32(items.stride - items.width)
        options.deviation = settings.deviation
        return options
    }
}
