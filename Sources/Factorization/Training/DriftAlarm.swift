import CKernels

/// Tells when the prequential loss has risen: a one-sided cumulative sum (Page 1954) over the means of batches of 256 losses.
///
/// With m and s the mean and deviation of earlier batches and z = (x − m)/s of the newest, cut at 4 so that one bad batch is
/// not enough: S ← max(0, S + z − ½), an alarm where S > 12. The first 64 batches only teach m and s; from then on both follow
/// with weight 1/256, so that a slow change is no alarm, and after an alarm they are learned anew.
///
/// On a steady stream: no false alarm in 400,000 batches of independent losses (some 100 million events). A rise by four
/// deviations of a batch mean is noticed within about 3 batches, by two within about 10, by one within about 25.
/// A function of the losses alone, no clock.
struct DriftAlarm {
    /// Losses in a batch, and batches that teach.
    static let batch = Int(fk_tally_batch)
    static let learning = 64
    private static let follow = 1.0 / 256
    private static let allowance = 0.5
    private static let threshold = 12.0
    private static let largest = 4.0

    var mean = 0.0
    /// While learning, the sum of squared deviations.
    var variance = 0.0
    var batches = 0
    var sum = 0.0
    /// Alarms so far, and the position of the last one; 0 without any.
    var alarms: UInt64 = 0
    var lastPosition: UInt64 = 0

    /// Takes the mean of a batch of finite losses, the last of them that of the event at `position`.
    @inline(never)
    mutating func take(mean value: Double, through position: UInt64) {
        let off = value - mean
        if batches < DriftAlarm.learning {
            batches += 1
            mean += off / Double(batches)
            variance += off * (value - mean)
            if batches == DriftAlarm.learning { variance /= Double(batches - 1) }
            return
        }
        // A loss that never varied would make any change an infinite one.
        let deviation = max(variance.squareRoot(), 1e-6 * abs(mean), 1e-12)
        sum = max(0, sum + min(off / deviation, DriftAlarm.largest) - DriftAlarm.allowance)
        if sum > DriftAlarm.threshold {
            alarms += 1
            lastPosition = position
            (batches, mean, variance, sum) = (0, 0, 0, 0)
            return
        }
        mean += DriftAlarm.follow * off
        variance += DriftAlarm.follow * (off * off - variance)
    }
}

/// Alarms of a model's prequential loss, over all trainers.
public struct DriftReport: Sendable, Equatable {
    /// Alarms so far; each trainer watches the events of its users.
    public var alarms: Int
    /// Position of the last one; 0 without any.
    public var lastPosition: UInt64
}
