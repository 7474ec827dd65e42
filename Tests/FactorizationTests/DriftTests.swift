import Testing

@testable import Factorization

@Suite struct DriftTests {
    /// Losses as skewed as log losses are: exponential, of a given mean.
    private func loss(_ mean: Double, _ dice: inout Dice) -> Double {
        let word = Double(dice.next() >> 11) / Double(1 << 53)
        // −ln(1 − u) by its series would do; the mean of a few squares is as skewed and needs no logarithm.
        return mean * 3 * word * word
    }

    @Test func aSteadyOrFallingLossIsNoAlarm() {
        for seed in 0..<4 {
            var dice = Dice(seed), steady = WatchedLosses(), falling = WatchedLosses()
            for position in 1...UInt64(400_000) {
                steady.record(loss(1, &dice), position: position)
                falling.record(loss(0.5 + 0.5 / (1 + Double(position) / 50_000), &dice), position: position)
            }
            #expect(steady.alarm.alarms == 0 && falling.alarm.alarms == 0)
        }
    }

    @Test func aRiseIsNoticedOnceAndSoon() {
        for seed in 0..<20 {
            var dice = Dice(seed), losses = WatchedLosses()
            let change: UInt64 = 60_000
            for position in 1...UInt64(200_000) {
                losses.record(loss(position < change ? 1 : 1.3, &dice), position: position)
            }
            // 1.3 in place of 1 is more than four deviations of a batch's mean.
            let alarm = losses.alarm
            #expect(alarm.alarms == 1 && alarm.lastPosition >= change && alarm.lastPosition < change + 8 * 256, "\(alarm.lastPosition)")
        }
    }

    @Test func oneBadBatchAndALossThatNeverVariesAreNoAlarm() {
        var dice = Dice(3), varied = WatchedLosses(), flat = WatchedLosses()
        for position in 1...UInt64(100_000) {
            varied.record(position / 256 == 200 ? 50 : loss(1, &dice), position: position)
            flat.record(0.25, position: position)
        }
        // What rounding makes of a loss that never varied is no rise; a real one is.
        for position in 100_000...UInt64(140_000) { flat.record(0.25 + 1e-10, position: position) }
        #expect(varied.alarm.alarms == 0 && flat.alarm.alarms == 0)
        for position in 140_000...UInt64(150_000) { flat.record(0.26, position: position) }
        #expect(flat.alarm.alarms == 1)
    }

    /// Tastes that flip: the model's own losses raise the alarm, and the report names the place.
    @Test func aModelReportsTheFlipOfATaste() {
        let engine = Engine(settings: EngineSettings(models: [ModelSettings(rank: 8, negatives: 2)]))
        var dice = Dice(5)
        func events(_ flipped: Int) -> [TestEvent] {
            (0..<20_000).map { _ in
                let user = dice.below(50)
                return TestEvent(user: Int64(user), item: Int64(dice.below(30) * 2 + (user + flipped) % 2))
            }
        }
        for _ in 0..<2 { engine.learn(events(0)) }
        #expect(engine.drift(0) == DriftReport(alarms: 0, lastPosition: 0))
        engine.learn(events(1))
        let drift = engine.drift(0)
        #expect(drift.alarms >= 1 && drift.lastPosition > 40_000 && drift.lastPosition <= 60_000)
    }
}

/// An alarm that is told loss by loss.
struct WatchedLosses {
    var alarm = DriftAlarm()
    private var sum = 0.0
    private var count = 0

    mutating func record(_ loss: Double, position: UInt64) {
        sum += loss
        count += 1
        guard count == DriftAlarm.batch else { return }
        alarm.take(mean: sum / Double(count), through: position)
        (sum, count) = (0, 0)
    }
}
