import Testing

@testable import Factorization

@Suite struct ReclamationTests {
    /// Retires enough blocks for the pool to look for reusable ones, and answers what it then gives out.
    private func turnOver(_ pool: BlockPool) -> Set<UnsafeMutableRawPointer> {
        for block in (0..<200).map({ _ in pool.allocate(64) }) { pool.retire(block, bytes: 64) }
        let given = (0..<400).map { _ in pool.allocate(64) }
        #expect(Set(given).count == given.count)
        return Set(given)
    }

    @Test func aBlockIsNotReusedBeforeItsReadersLeave() {
        let epochs = ReaderEpochs(), pool = BlockPool(epochs: epochs)
        let idle = epochs.register(), ticket = epochs.register()
        epochs.reading(idle) {}
        let block = pool.allocate(64)
        epochs.reading(ticket) {
            pool.retire(block, bytes: 64)
            // The outer call protects until it ends, whatever is read within.
            epochs.reading(ticket) {}
            #expect(!turnOver(pool).contains(block))
        }
        #expect(turnOver(pool).contains(block))
    }

    @Test func epochsPassWhenOldReadersAreGone() {
        let epochs = ReaderEpochs(), first = epochs.register(), second = epochs.register()
        epochs.reading(first) {
            let epoch = epochs.advance()
            #expect(!epochs.isPast(epoch))
            // A reader that entered later holds nothing old.
            epochs.reading(second) { #expect(!epochs.isPast(epoch)) }
        }
        let epoch = epochs.advance()
        epochs.reading(second) { #expect(epochs.isPast(epoch)) }
    }

    @Test func reusedBlocksAreZero() {
        let pool = BlockPool(epochs: ReaderEpochs())
        for size in [1, 16, 17, 40, 808, 70_000] {
            for block in (0..<70).map({ _ in pool.allocate(size) }) {
                block.initializeMemory(as: UInt8.self, repeating: 0xAB, count: size)
                pool.retire(block, bytes: size)
            }
            for _ in 0..<70 {
                let block = pool.allocate(size)
                #expect(UnsafeRawBufferPointer(start: block, count: size).allSatisfy { $0 == 0 })
            }
        }
    }
}
