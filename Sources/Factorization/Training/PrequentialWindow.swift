import CKernels

/// The sliding window of one trainer's prequential sums, and calibration.
///
/// A mark is what was counted when a batch of the drift alarm (256 events) was full. The window is what was counted since the
/// oldest of the last 40 marks, or fewer where several trainers share it: about the last 10,000 events.
///
/// Calibration is of every 16th position, by position, so that a run over the same events takes the same ones: an exponential for
/// each item of each event would cost more than it tells.
struct PrequentialWindow: Sendable {
    /// Marks of all trainers together.
    private static let batches = 40
    private static let sample: UInt64 = 16
    /// Doubles that are shown: four of calibration, and the window's six.
    static let shownCount = 10

    /// Σ of probabilities and of labels over sampled events and their negatives, and the same fading.
    var predicted = 0.0
    var observed = 0.0
    var recentPredicted = 0.0
    var recentObserved = 0.0
    /// Events, loss, comparisons, wins, probabilities and labels up to each mark, oldest first. Never empty. The first `past` are no
    /// longer in use: they are dropped many at a time.
    private var all: [SIMD8<Double>] = [.zero]
    private var past = 0
    private var marks: ArraySlice<SIMD8<Double>> { all[past...] }
    private let limit: Int
    private let keep: Double

    init(trainers: Int = 1) {
        limit = max(1, PrequentialWindow.batches / trainers)
        all.reserveCapacity(2 * limit + 1)
        // One event stands for sixteen.
        keep = Prequential.keep(trainers: trainers * Int(PrequentialWindow.sample))
    }

    /// Whether an event counts for calibration.
    @inline(__always)
    static func isSampled(_ position: UInt64) -> Bool { position % sample == 0 }

    /// Begins a sampled event: older ones fade.
    mutating func beginEvent() {
        recentPredicted *= keep
        recentObserved *= keep
    }

    /// Takes an item of a sampled event: its own or a negative.
    mutating func calibrate(score: Float, label: Float) {
        guard score.isFinite else { return }
        let probability = Double(fk_sigmoid(score))
        predicted += probability
        observed += Double(label)
        recentPredicted += probability
        recentObserved += Double(label)
    }

    /// Notes what is counted, as a batch is full.
    @inline(never)
    mutating func mark(_ sums: Prequential.Sums) {
        guard sums.events > all[all.count - 1][0] else { return }
        all.append(totals(sums))
        if all.count - past > limit { past += 1 }
        if past == limit {
            all.removeFirst(past)
            past = 0
        }
    }

    private func totals(_ sums: Prequential.Sums) -> SIMD8<Double> {
        SIMD8(sums.events, sums.loss, sums.comparisons, sums.wins, predicted, observed, 0, 0)
    }

    /// Begins with what is counted: all before it is outside of the window.
    mutating func begin(_ sums: Prequential.Sums) {
        all.removeAll(keepingCapacity: true)
        all.append(totals(sums))
        past = 0
    }

    /// Calibration, then the window's sums.
    func shown(_ sums: Prequential.Sums) -> [Double] {
        let since = totals(sums) - all[past]
        return [predicted, observed, recentPredicted, recentObserved] + (0..<6).map { since[$0] }
    }

    // MARK: In a snapshot

    func write(_ writer: inout ByteWriter) {
        for value in [predicted, observed, recentPredicted, recentObserved] { writer.put(value) }
        writer.put(UInt32(marks.count))
        for mark in marks { for index in 0..<6 { writer.put(mark[index]) } }
    }

    /// Of the same number of trainers.
    init(_ reader: inout ByteReader, trainers: Int) throws(StateError) {
        self.init(trainers: trainers)
        predicted = try reader.getDouble()
        observed = try reader.getDouble()
        recentPredicted = try reader.getDouble()
        recentObserved = try reader.getDouble()
        let count = Int(try reader.get(UInt32.self))
        guard (1...limit).contains(count) else { throw .damaged(section: reader.section) }
        all.removeAll(keepingCapacity: true)
        for _ in 0..<count {
            var mark = SIMD8<Double>.zero
            for index in 0..<6 { mark[index] = try reader.getDouble() }
            all.append(mark)
        }
    }
}
