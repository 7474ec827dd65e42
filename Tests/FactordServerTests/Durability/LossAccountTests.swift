import Testing

@testable import FactordServer

/// What is known of losses on streams that cannot be asked again.
@Suite("Accounts of losses")
struct LossAccountTests {
    private func note(_ account: inout LossAccount, _ sequences: [UInt64], beat: Bool = false) {
        note(&account, "s", 1, sequences, beat: beat)
    }

    private func note(_ account: inout LossAccount, _ source: String, _ epoch: UInt64, _ sequences: [UInt64], beat: Bool = false) {
        var source = source
        source.withUTF8 { name in
            for sequence in sequences { account.note(UnsafeRawBufferPointer(name), epoch: epoch, sequence: sequence, isBeat: beat) }
        }
    }

    @Test("Gaps, latecomers, duplicates, and a lost tail that a beat tells of")
    func counts() {
        var account = LossAccount(limit: 10)
        note(&account, [5, 6, 7])
        #expect(account.counts.missing == 0 && account.counts.sources == 1)
        note(&account, [10, 11])
        #expect(account.counts.missing == 2 && account.counts.gaps == 1)
        #expect(account.counts.last == LossRange(source: "s", epoch: 1, first: 8, last: 9))
        note(&account, [9])
        #expect(account.counts.missing == 1 && account.counts.reordered == 1)
        note(&account, [9, 11, 3])
        #expect(account.counts.duplicates == 3 && account.counts.missing == 1)
        note(&account, [11], beat: true)
        #expect(account.counts.missing == 1)
        note(&account, [15], beat: true)
        #expect(account.counts.missing == 5 && account.counts.last?.first == 12 && account.counts.last?.last == 15)
        note(&account, [15], beat: true)
        note(&account, [16])
        #expect(account.counts.missing == 5)
    }

    @Test("A new epoch begins at 1; what an old one still sends is stale")
    func epochs() {
        var account = LossAccount(limit: 10)
        note(&account, "s", 3, [1, 2])
        note(&account, "s", 4, [3])
        #expect(account.counts.missing == 2)
        note(&account, "s", 3, [3, 4])
        #expect(account.counts.stale == 2 && account.counts.missing == 2)
        note(&account, "s", 5, [4], beat: true)
        #expect(account.counts.missing == 6)
    }

    @Test("Random losses, repetitions and delays are counted exactly")
    func random() {
        var state: UInt64 = 9
        func below(_ limit: UInt64) -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return (state >> 33) % limit
        }
        for _ in 0..<20 {
            var account = LossAccount(limit: 4)
            var sent: [UInt64] = [1], lost: UInt64 = 0, twice: UInt64 = 0, late: UInt64 = 0
            var sequence: UInt64 = 2
            while sequence < 3000 {
                switch below(10) {
                case 0: lost += 1
                case 1:
                    sent += [sequence, sequence]
                    twice += 1
                case 2:
                    sent += [sequence + 1, sequence]
                    late += 1
                    sequence += 1
                default: sent.append(sequence)
                }
                sequence += 1
            }
            note(&account, sent)
            note(&account, [sequence - 1], beat: true)
            #expect(account.counts.missing == lost)
            #expect(account.counts.duplicates == twice)
            #expect(account.counts.reordered == late)
        }
    }

    @Test("Numbers out of the air do no harm, and the table is bounded")
    func bounds() {
        var account = LossAccount(limit: 3)
        note(&account, [0, .max, .max - 1, 0, .max], beat: false)
        note(&account, [.max], beat: true)
        for index in 0..<100 { note(&account, "source\(index)", 1, [.max, 1]) }
        for _ in 0..<5 { note(&account, "x", 1, [1, .max]) }
        #expect(account.counts.sources == 3)
    }
}
