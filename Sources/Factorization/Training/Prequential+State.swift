import CKernels

/// What prequential metrics and the drift alarm of one trainer have gathered: what a snapshot holds of them.
struct PrequentialState {
    /// Sums in parts, and least and greatest label so far.
    var plain = fk_tally()
    /// Watches the loss of every event.
    var alarm = DriftAlarm()
    /// What was counted up to each of the last batches, and calibration.
    var window: PrequentialWindow

    init(trainers: Int = 1) {
        window = PrequentialWindow(trainers: trainers)
        plain.keep = Prequential.keep(trainers: trainers)
        plain.lowest = .infinity
        plain.highest = -.infinity
    }

    var sums: Prequential.Sums {
        withUnsafeTemporaryAllocation(of: Double.self, capacity: 8) { sums in
            withUnsafePointer(to: plain) { fk_tally_sums($0, sums.baseAddress) }
            return Prequential.Sums(
                events: sums[0], loss: sums[1], comparisons: sums[2], wins: sums[3], recentEvents: sums[4], recentLoss: sums[5],
                recentComparisons: sums[6], recentWins: sums[7])
        }
    }

    /// Losses since the alarm last looked.
    var batchLoss: Double { withUnsafePointer(to: plain) { fk_tally_batch_loss($0) } }

    private mutating func set(_ sums: Prequential.Sums, batchLoss: Double) { fk_tally_set(&plain, sums.all, batchLoss) }

    /// The same for another number of trainers, with the same totals: each takes an equal part of the sums that fade; those
    /// that do not fade, and the alarms, stay whole with the first. Windows begin anew.
    static func spread(_ saved: [PrequentialState], over count: Int) -> [PrequentialState] {
        guard saved.count != count else { return saved }
        let total = saved.map(\.sums).reduce(Prequential.Sums(), +), part = 1 / Double(count)
        var each = PrequentialState(trainers: count)
        each.plain.lowest = saved.map(\.plain.lowest).min() ?? .infinity
        each.plain.highest = saved.map(\.plain.highest).max() ?? -.infinity
        each.alarm = DriftAlarm.pooled(saved.map(\.alarm))
        each.window.recentPredicted = saved.reduce(0) { $0 + $1.window.recentPredicted } * part
        each.window.recentObserved = saved.reduce(0) { $0 + $1.window.recentObserved } * part
        var fading = Prequential.Sums()
        fading.recentEvents = total.recentEvents * part
        fading.recentLoss = total.recentLoss * part
        fading.recentComparisons = total.recentComparisons * part
        fading.recentWins = total.recentWins * part
        each.set(fading, batchLoss: 0)
        fading.events = total.events
        fading.loss = total.loss
        fading.comparisons = total.comparisons
        fading.wins = total.wins
        var first = each
        first.set(fading, batchLoss: 0)
        first.alarm.alarms = saved.reduce(0) { $0 + $1.alarm.alarms }
        first.alarm.lastPosition = saved.reduce(0) { max($0, $1.alarm.lastPosition) }
        first.window.predicted = saved.reduce(0) { $0 + $1.window.predicted }
        first.window.observed = saved.reduce(0) { $0 + $1.window.observed }
        first.window.begin(first.sums)
        return [first] + Array(repeating: each, count: count - 1)
    }

    func write(_ writer: inout ByteWriter) {
        for sum in sums.all { writer.put(sum) }
        writer.put(plain.lowest)
        writer.put(plain.highest)
        alarm.write(&writer, batchLoss: batchLoss, count: plain.batch_count)
    }

    /// Without the window and the parts of sums, which have sections of their own: until those are read, the window begins here, and a
    /// sum is in one part.
    init(_ reader: inout ByteReader, trainers: Int) throws(StateError) {
        self.init(trainers: trainers)
        let sums = Prequential.Sums(
            events: try reader.getDouble(), loss: try reader.getDouble(), comparisons: try reader.getDouble(),
            wins: try reader.getDouble(), recentEvents: try reader.getDouble(), recentLoss: try reader.getDouble(),
            recentComparisons: try reader.getDouble(), recentWins: try reader.getDouble())
        plain.lowest = try reader.getFloat()
        plain.highest = try reader.getFloat()
        let (alarm, batchLoss, count) = try DriftAlarm.read(&reader)
        self.alarm = alarm
        plain.batch_count = count
        set(sums, batchLoss: batchLoss)
        // A count that no stream reaches could not be shown as one.
        guard (0...0x1p53).contains(sums.events), (0...0x1p62).contains(sums.comparisons), sums.loss.isFinite, sums.recentLoss.isFinite,
            !plain.lowest.isNaN, !plain.highest.isNaN
        else { throw .damaged(section: reader.section) }
        window.begin(sums)
    }

    // MARK: The parts of sums

    /// Doubles of all parts: they come first in a tally.
    static let partCount = MemoryLayout<fk_tally>.offset(of: \.events)! / MemoryLayout<Double>.stride

    func writeParts(_ writer: inout ByteWriter) {
        withUnsafeBytes(of: plain) { for part in $0.bindMemory(to: Double.self).prefix(PrequentialState.partCount) { writer.put(part) } }
    }

    /// Takes up the parts of the sums that are known.
    mutating func readParts(_ reader: inout ByteReader) throws(StateError) {
        let known = sums.all + [batchLoss]
        var parts: [Double] = []
        for _ in 0..<PrequentialState.partCount { parts.append(try reader.getDouble()) }
        withUnsafeMutableBytes(of: &plain) { bytes in parts.withUnsafeBytes { bytes.copyMemory(from: $0) } }
        guard sums.all + [batchLoss] == known else { throw .damaged(section: reader.section) }
    }
}

extension DriftAlarm {
    /// What several alarms have learned of batches, as one: for trainers whose number has changed. The sums under way and
    /// the cumulative sums start again, and without an alarm that has learned enough, so does learning.
    static func pooled(_ alarms: [DriftAlarm]) -> DriftAlarm {
        let taught = alarms.filter { $0.batches == DriftAlarm.learning }
        var pooled = DriftAlarm()
        guard !taught.isEmpty else { return pooled }
        let count = Double(taught.count)
        pooled.batches = DriftAlarm.learning
        pooled.mean = taught.reduce(0) { $0 + $1.mean } / count
        // Within each trainer, and between them: users differ.
        pooled.variance = taught.reduce(0) { $0 + $1.variance + ($1.mean - pooled.mean) * ($1.mean - pooled.mean) } / count
        return pooled
    }

    /// With what the batch under way has gathered.
    func write(_ writer: inout ByteWriter, batchLoss: Double, count: UInt32) {
        for value in [batchLoss, mean, variance, sum] { writer.put(value) }
        writer.put(count)
        writer.put(UInt32(batches))
        writer.put(alarms)
        writer.put(lastPosition)
    }

    static func read(_ reader: inout ByteReader) throws(StateError) -> (alarm: DriftAlarm, batchLoss: Double, count: UInt32) {
        let batchLoss = try reader.getDouble()
        var alarm = DriftAlarm()
        alarm.mean = try reader.getDouble()
        alarm.variance = try reader.getDouble()
        alarm.sum = try reader.getDouble()
        let count = try reader.get(UInt32.self)
        alarm.batches = Int(try reader.get(UInt32.self))
        alarm.alarms = try reader.get()
        alarm.lastPosition = try reader.get()
        guard count < DriftAlarm.batch, alarm.batches <= DriftAlarm.learning, alarm.alarms <= 1 << 62, batchLoss.isFinite,
            alarm.mean.isFinite, alarm.variance >= 0, alarm.sum >= 0
        else { throw .damaged(section: reader.section) }
        return (alarm, batchLoss, count)
    }
}

extension ByteWriter {
    mutating func put(_ value: Double) { put(value.bitPattern) }
}

extension ByteReader {
    mutating func getDouble() throws(StateError) -> Double { Double(bitPattern: try get(UInt64.self)) }
}
