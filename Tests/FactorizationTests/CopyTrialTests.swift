import Testing

@testable import Factorization

@Suite struct CopyTrialTests {
    /// Learns for some stretches, in pieces of a trainer's usual length, at what each way costs; answers the stretches that went in
    /// copies.
    private func run(_ trial: inout CopyTrial, stretches: Int, copies: Double, inPlace: Double, _ dice: inout Dice) -> Int {
        var inCopies = 0
        for _ in 0..<stretches * CopyTrial.stretch / 256 {
            // One piece in five hundred is disturbed.
            let cost = (trial.copies ? copies : inPlace) * (dice.below(500) == 0 ? 100 : 1)
            inCopies += trial.copies ? 1 : 0
            trial.learned(256, in: trial.isTimed ? UInt64(256 * cost) : 0)
        }
        return inCopies * 256 / CopyTrial.stretch
    }
    private static let round = CopyTrial.between + CopyTrial.beginning + CopyTrial.timed

    @Test(arguments: [2, 8], [0, 1, 2]) func theCheaperWayIsFound(trainers: Int, seed: Int) {
        var dice = Dice(seed), trial = CopyTrial(trainers: trainers)
        #expect(trial.copies == (trainers == 8), "the first guess")
        _ = run(&trial, stretches: 12, copies: 10, inPlace: 30, &dice)
        #expect(trial.copies)
        // From then on the other way is tried, and no more.
        let inCopies = run(&trial, stretches: 10 * Self.round, copies: 10, inPlace: 30, &dice)
        #expect(inCopies >= 9 * Self.round && inCopies < 10 * Self.round)
        // The threads were moved: the next trial shows it.
        _ = run(&trial, stretches: 2 * Self.round, copies: 30, inPlace: 20, &dice)
        let stillInCopies = run(&trial, stretches: 10 * Self.round, copies: 30, inPlace: 20, &dice)
        #expect(stillInCopies < Self.round)
    }

    @Test func aWayIsKeptThatCostsTheSame() {
        var dice = Dice(4), trial = CopyTrial(trainers: 2)
        let inCopies = run(&trial, stretches: 20 * Self.round, copies: 20, inPlace: 20, &dice)
        #expect(inCopies < 20 * (CopyTrial.beginning + CopyTrial.timed) + 1)
    }

    @Test func timeIsAskedForSeldom() {
        var trial = CopyTrial(trainers: 2), timed = 0
        for _ in 0..<10 * Self.round {
            timed += trial.isTimed ? 1 : 0
            trial.learned(CopyTrial.stretch, in: 1)
        }
        #expect(timed > 40 && timed < Self.round)
    }
}
