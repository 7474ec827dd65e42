/// What prequential metrics and the drift alarm of one trainer have gathered: what a snapshot holds of them.
struct PrequentialState {
    var sums = Prequential.Sums()
    /// Least and greatest label so far.
    var lowest = Float.infinity
    var highest = -Float.infinity
    var alarm = DriftAlarm()
    var window: PrequentialWindow

    /// The same for another number of trainers, with the same totals: each takes an equal part of the sums that fade; those
    /// that do not fade, and the alarms, stay whole with the first. Windows begin anew.
    static func spread(_ saved: [PrequentialState], over count: Int) -> [PrequentialState] {
        guard saved.count != count else { return saved }
        let total = saved.map(\.sums).reduce(Prequential.Sums(), +), part = 1 / Double(count)
        var each = PrequentialState(
            lowest: saved.map(\.lowest).min() ?? .infinity, highest: saved.map(\.highest).max() ?? -.infinity,
            alarm: DriftAlarm.pooled(saved.map(\.alarm)), window: PrequentialWindow(trainers: count))
        each.window.recentPredicted = saved.reduce(0) { $0 + $1.window.recentPredicted } * part
        each.window.recentObserved = saved.reduce(0) { $0 + $1.window.recentObserved } * part
        each.sums.recentEvents = total.recentEvents * part
        each.sums.recentLoss = total.recentLoss * part
        each.sums.recentComparisons = total.recentComparisons * part
        each.sums.recentWins = total.recentWins * part
        var first = each
        first.sums.events = total.events
        first.sums.loss = total.loss
        first.sums.comparisons = total.comparisons
        first.sums.wins = total.wins
        first.alarm.alarms = saved.reduce(0) { $0 + $1.alarm.alarms }
        first.alarm.lastPosition = saved.reduce(0) { max($0, $1.alarm.lastPosition) }
        first.window.predicted = saved.reduce(0) { $0 + $1.window.predicted }
        first.window.observed = saved.reduce(0) { $0 + $1.window.observed }
        first.window.begin(first.sums)
        return [first] + Array(repeating: each, count: count - 1)
    }

    func write(_ writer: inout ByteWriter) {
        let sums = [
            sums.events, sums.loss, sums.comparisons, sums.wins, sums.recentEvents, sums.recentLoss, sums.recentComparisons,
            sums.recentWins,
        ]
        for sum in sums { writer.put(sum) }
        writer.put(lowest)
        writer.put(highest)
        alarm.write(&writer)
    }

    init(
        sums: Prequential.Sums = Prequential.Sums(), lowest: Float = .infinity, highest: Float = -.infinity,
        alarm: DriftAlarm = DriftAlarm(), window: PrequentialWindow = PrequentialWindow()
    ) {
        self.window = window
        self.sums = sums
        self.lowest = lowest
        self.highest = highest
        self.alarm = alarm
    }

    /// Without the window, which has a section of its own: until that is read, it begins here.
    init(_ reader: inout ByteReader, trainers: Int) throws(StateError) {
        window = PrequentialWindow(trainers: trainers)
        sums = Prequential.Sums(
            events: try reader.getDouble(), loss: try reader.getDouble(), comparisons: try reader.getDouble(),
            wins: try reader.getDouble(), recentEvents: try reader.getDouble(), recentLoss: try reader.getDouble(),
            recentComparisons: try reader.getDouble(), recentWins: try reader.getDouble())
        lowest = try reader.getFloat()
        highest = try reader.getFloat()
        alarm = try DriftAlarm(&reader)
        // A count that no stream reaches could not be shown as one.
        guard (0...0x1p53).contains(sums.events), (0...0x1p62).contains(sums.comparisons), sums.loss.isFinite, sums.recentLoss.isFinite,
            !lowest.isNaN, !highest.isNaN
        else { throw .damaged(section: reader.section) }
        window.begin(sums)
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

    func write(_ writer: inout ByteWriter) {
        for value in [batchSum, mean, variance, sum] { writer.put(value) }
        writer.put(UInt32(batchCount))
        writer.put(UInt32(batches))
        writer.put(alarms)
        writer.put(lastPosition)
    }

    init(_ reader: inout ByteReader) throws(StateError) {
        batchSum = try reader.getDouble()
        mean = try reader.getDouble()
        variance = try reader.getDouble()
        sum = try reader.getDouble()
        batchCount = Int(try reader.get(UInt32.self))
        batches = Int(try reader.get(UInt32.self))
        alarms = try reader.get()
        lastPosition = try reader.get()
        guard batchCount < DriftAlarm.batch, batches <= DriftAlarm.learning, alarms <= 1 << 62, batchSum.isFinite, mean.isFinite,
            variance >= 0, sum >= 0
        else { throw .damaged(section: reader.section) }
    }
}

extension ByteWriter {
    mutating func put(_ value: Double) { put(value.bitPattern) }
}

extension ByteReader {
    mutating func getDouble() throws(StateError) -> Double { Double(bitPattern: try get(UInt64.self)) }
}
