import Testing

@testable import Factorization

/// Memory for the texts of ids, and what of it the budget bounds.
@Suite struct TextArenaTests {
    private func text(_ packed: UInt64) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: UnsafeRawPointer(bitPattern: UInt(packed & (1 << 48 - 1))), count: Int(packed >> 48))
    }

    @Test(arguments: 0..<6) func textsOfAllLengthsStayWhole(seed: Int) {
        let arena = TextArena()
        var dice = Dice(seed), held: [(packed: UInt64, byte: UInt8, count: Int)] = []
        for round in 0..<20_000 {
            if dice.below(held.count + 1) < (round / 4000 % 2 == 0 ? 100 : 900) {
                let byte = UInt8(dice.below(256)), count = 1 + dice.below([16, 200, Key.longestText][dice.below(3)])
                let bytes = [UInt8](repeating: byte, count: count)
                held.append((bytes.withUnsafeBytes { arena.store($0) }, byte, count))
            } else {
                let (packed, byte, count) = held.remove(at: dice.below(held.count))
                let text = text(packed)
                if text.count != count || !text.allSatisfy({ $0 == byte }) { Issue.record("\(count) bytes of \(byte) are others") }
                arena.free(text)
            }
        }
        for text in held { arena.free(self.text(text.packed)) }
        #expect(arena.bytes == TextArena.chunkBytes, "one chunk stays for what comes")
    }

    /// 4 MiB of texts of one length after another, each taking the place of some that go by chance. Shorter ones find room wherever
    /// longer ones went; longer ones only where enough went side by side.
    @Test func whatIsMappedFollowsWhatIsStored() {
        let arena = TextArena(), most = 4 << 20
        var dice = Dice(3), held: [UInt64] = [], stored = 0, length = 1024, largest = 0
        for next in [1008, 992, 500, 496, 100, 96, 40, 100, 700, 1008, 992] {
            let bytes = [UInt8](repeating: 1, count: next), piece = TextArena.bytes(next)
            var old = held.shuffled(using: &dice), peak = 0
            held = []
            while true {
                while stored + piece > most, let last = old.popLast() {
                    stored -= TextArena.bytes(text(last).count)
                    arena.free(text(last))
                }
                guard stored + piece <= most else { break }
                held.append(bytes.withUnsafeBytes { arena.store($0) })
                stored += piece
                peak = max(peak, arena.bytes)
            }
            // Without lengths that grow, but for what is left of a longer text.
            let hasGrown = next > length || largest > most * 5 / 4 + TextArena.chunkBytes
            largest = max(largest, peak)
            #expect(peak <= (hasGrown ? most * 7 / 4 : most * 5 / 4) + TextArena.chunkBytes, "\(length) to \(next): \(peak) for \(stored)")
            length = next
        }
    }

    /// Items whose ids become shorter, and longer again, for a budget that their texts fill.
    @Test func idsWhoseLengthsDriftStayWithinTheBudget() {
        let engine = boundedEngine(rows: 30_000, histories: false), keeper = engine.sequencer.keeper
        var number = 0
        for length in stride(from: 1008, through: 880, by: -16) + [512, 1008] {
            for _ in 0..<60 {
                let batch = EventBatch(recordCapacity: 250, featureCapacity: 0, textCapacity: 250 * 1024)
                for _ in 0..<250 {
                    number += 1
                    // Twice, as a full table asks.
                    let id = Array("\(number / 2)".utf8), bytes = id + [UInt8](repeating: 120, count: length - id.count)
                    let range = bytes.withUnsafeBytes { batch.copyText($0)! }
                    #expect(batch.append(EventRecord(kind: .interaction, user: Key(integer: 1, hashing: engine.hashing), item: Key(text: batch.text(range), hashing: engine.hashing))))
                }
                engine.learnNow(batch)
                #expect(keeper.total <= keeper.limit)
            }
            let rows = engine.items.count * keeper.costs[RowSide.items.rawValue]
            let slack = 2 * TextArena.chunkBytes
            #expect(engine.items.mappedTextBytes + rows <= keeper.limit + slack, "\(length): \(engine.items.mappedTextBytes) and \(rows)")
            #expect(engine.items.liveTextBytes > keeper.limit / 2)
        }
        #expect(engine.evictions > 3000)
    }
}
