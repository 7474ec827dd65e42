import CKernels

/// Whether a trainer learns hot items in copies (`HotRows`) or where they lie: found out by trying both now and then.
///
/// What a row costs that another core wrote last depends on where the two cores are, on the number of trainers and on the model, and a
/// thread may be moved: between neighbours copies cost a tenth of the rate, between distant cores they more than double it. So both ways
/// are timed while many events wait, in stretches of some ten thousand events, and the cheaper one is kept until the next trial. Of some
/// stretches the cheapest counts, for whatever disturbs a thread makes it slower.
///
/// A trainer's thread.
struct CopyTrial {
    /// Events of a stretch.
    static let stretch = 32_768
    /// Trainers from which copies are the first guess, and the only one without a clock: with eight they double what is learned a second.
    private static let usualTrainers = 3
    /// Stretches that are timed of either way, those before them in which a way begins, and those between two trials: a trial that
    /// finds the present way the better one costs a fiftieth, where the other is half as fast.
    static let timed = 3
    static let beginning = 2
    static let between = 320
    /// The other way has to be this much cheaper.
    private static let margin = 0.97

    /// The way to go now.
    private(set) var copies: Bool
    private var isTrying = false
    /// Stretches left of this way, and the cheapest of those timed, nanoseconds an event.
    private var left = CopyTrial.beginning + CopyTrial.timed
    private var cheapest = Double.infinity
    /// What the way cost that is kept unless the trial finds the other one cheaper.
    private var kept = Double.infinity
    // Of the stretch under way.
    private var events = 0
    private var nanoseconds: UInt64 = 0

    init(trainers: Int) { copies = trainers >= CopyTrial.usualTrainers }

    /// Whether the time of what is learned now is asked for.
    var isTimed: Bool { left <= CopyTrial.timed }

    /// So many events were learned while others waited, in so much time where `isTimed`.
    mutating func learned(_ count: Int, in time: UInt64) {
        events += count
        nanoseconds += time
        guard events >= CopyTrial.stretch else { return }
        if isTimed { cheapest = min(cheapest, Double(nanoseconds) / Double(events)) }
        (events, nanoseconds) = (0, 0)
        left -= 1
        if left == 0 { endWay() }
    }

    private mutating func endWay() {
        if isTrying {
            if cheapest >= kept * CopyTrial.margin { copies.toggle() }
            left = CopyTrial.between
        } else {
            kept = cheapest
            copies.toggle()
            left = CopyTrial.beginning + CopyTrial.timed
        }
        isTrying.toggle()
        cheapest = .infinity
    }
}
