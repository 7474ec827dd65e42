import CKernels
import Glibc
import Synchronization
import Testing

@testable import Factorization

/// Memory of users' lists: blocks of many sizes from common chunks, and the sets that lie in them.
@Suite struct BlockPoolTests {
    /// Enough for several regions, so that huge pages come into it.
    @Test func blocksOfCommonMemoryDoNotMeet() {
        let memory = BlockMemory(), epochs = ReaderEpochs()
        let pools = (0..<3).map { _ in BlockPool(epochs: epochs, memory: memory) }
        var dice = Dice(7), blocks: [(words: UnsafeMutablePointer<UInt64>, count: Int)] = []
        for number in 0..<60_000 {
            let bytes = 16 << (min(dice.below(16).trailingZeroBitCount, 6) + dice.below(3))
            let block = pools[dice.below(3)].allocate(bytes)
            #expect(UInt(bitPattern: block) % UInt(min(bytes, 64)) == 0)
            let words = block.bindMemory(to: UInt64.self, capacity: bytes / 8)
            for word in 0..<bytes / 8 {
                if words[word] != 0 { Issue.record("block \(number) is not zero") }
                words[word] = UInt64(number)
            }
            blocks.append((words, bytes / 8))
        }
        #expect(pools.reduce(0) { $0 + $1.bytes } > 3 * (2 << 20))
        for (number, block) in blocks.enumerated() {
            #expect((0..<block.count).allSatisfy { block.words[$0] == UInt64(number) })
        }
    }

    /// Chunks that nobody touches, so that what is resident is what was made ready.
    @Test func memoryIsMadeReadyAheadOfUse() {
        let memory = BlockMemory(), calls = Atomic<Int>(0)
        let perRegion = (2 << 20) / BlockMemory.chunkBytes
        func take(regions: Int) { for _ in 0..<regions * perRegion { _ = memory.chunk() } }
        take(regions: 15)
        memory.attach { calls.add(1, ordering: .relaxed) }
        memory.makeReady()
        #expect(!isResident(memory.chunk()), "too little to keep anything ready for")
        take(regions: 16)
        #expect(calls.load(ordering: .relaxed) == 17)
        memory.makeReady()
        // The rest of the region that is under way, then two in sixteenths of 32.
        for _ in 1..<perRegion { #expect(!isResident(memory.chunk())) }
        for _ in 0..<2 * perRegion { #expect(isResident(memory.chunk())) }
        #expect(!isResident(memory.chunk()))
        take(regions: 90)
        memory.makeReady()
        memory.makeReady()
        for _ in 1..<perRegion { _ = memory.chunk() }
        for _ in 0..<BlockMemory.mostReady * perRegion { #expect(isResident(memory.chunk())) }
        #expect(!isResident(memory.chunk()))
    }

    private func isResident(_ page: UnsafeMutableRawPointer) -> Bool {
        var state: UInt8 = 0
        return mincore(page, 4096, &state) == 0 && state & 1 == 1
    }

    @Test func whatIsPassedOverIsGivenOut() {
        let pool = BlockPool(epochs: ReaderEpochs())
        let first = pool.allocate(16), line = pool.allocate(64)
        #expect(line == first + 64)
        #expect(Set([pool.allocate(16), pool.allocate(32)]) == [first + 16, first + 32])
        #expect(pool.allocate(128) == first + 128)
        #expect(pool.held == 16 + 64 + 16 + 32 + 128)
    }

    /// A mebibyte of blocks of one size after another, each taking the place of some that go by chance.
    @Test func whatIsFreeServesOtherSizes() {
        let pool = BlockPool(epochs: ReaderEpochs()), most = 1 << 20
        var dice = Dice(5), held: [UnsafeMutableRawPointer] = [], before = 0
        func replace(_ bytes: Int) {
            var old = held.shuffled(using: &dice)
            held = []
            while !old.isEmpty || pool.held + bytes <= most {
                while pool.held + bytes > most, let last = old.popLast() { pool.retire(last, bytes: before) }
                if pool.held + bytes > most { break }
                let block = pool.allocate(bytes)
                #expect(UInt(bitPattern: block) % UInt(min(bytes, 4096)) == 0)
                for word in 0..<bytes / 8 where (block + 8 * word).load(as: UInt64.self) != 0 { Issue.record("a block is not zero") }
                block.initializeMemory(as: UInt8.self, repeating: 1, count: bytes)
                held.append(block)
            }
            #expect(pool.held == most && pool.bytes <= most * 5 / 2, "\(before) to \(bytes): \(pool.bytes)")
            before = bytes
        }
        for bytes in [4096, 512, 16] {
            replace(bytes)
            // Halves of what is larger.
            #expect(pool.bytes <= most + 3 * BlockMemory.chunkBytes, "\(bytes): \(pool.bytes)")
        }
        for bytes in [32, 64, 1024, 16, 128] { replace(bytes) }
        let bytes = pool.bytes
        // Those larger than a chunk go back, once two groups have followed them.
        for _ in 0..<2 {
            let large = (0..<4).map { _ in pool.allocate(200_000) }
            #expect(pool.bytes <= bytes + 8 << 18)
            for block in large { pool.retire(block, bytes: 200_000) }
        }
        for _ in 0..<2 { pool.retire(pool.allocate(65_536), bytes: 65_536) }
        #expect(pool.bytes <= bytes + BlockMemory.chunkBytes, "\(pool.bytes) after \(bytes)")
    }

    /// Many sets of every size, from empty to full, against the search that readers use; among the values sought are those that
    /// the words before the slots would be.
    @Test func aSetIsFoundInEightWordsAtATime() {
        var dice = Dice(11)
        for slots in [6, 14, 30, 62, 254, 1022] {
            for _ in 0..<50 {
                let memory = UnsafeMutableRawPointer.allocate(byteCount: SeenSet.bytes(slots), alignment: 16)
                memory.initializeMemory(as: UInt8.self, repeating: 0, count: SeenSet.bytes(slots))
                defer { memory.deallocate() }
                let set = SeenSet(memory, capacity: slots), range = 4 * slots
                var held: Set<UInt32> = []
                for _ in 0..<dice.below(SeenSet.room(slots: slots) + 1) {
                    let value = UInt32(dice.below(range))
                    if held.insert(value).inserted { set.insert(value) }
                }
                for value in 0..<UInt32(range) {
                    #expect((fk_set_holds(set.plain, value) != 0) == held.contains(value))
                    #expect(set.contains(value) == held.contains(value))
                }
            }
        }
        #expect((0..<100).allSatisfy { fk_has_seen(0, 0, $0) == 0 && fk_has_seen(0, 1, $0) == 0 })
    }
}
