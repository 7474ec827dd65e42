import CKernels
import Testing

@testable import Factorization

/// Users' histories in their blocks: what they hold, and how they are searched.
@Suite struct ItemListTests {
    /// A block among words that no list may take for its own.
    private func withList(_ capacity: Int, _ body: (ItemList) -> Void) {
        let memory = UnsafeMutableRawPointer.allocate(byteCount: ItemList.bytes(capacity) + 64, alignment: 32)
        defer { memory.deallocate() }
        memory.initializeMemory(as: UInt32.self, repeating: 0xEEEE_EEEE, count: capacity + 16)
        body(ItemList(memory + 32, capacity: capacity))
        #expect((0..<8).allSatisfy { memory.load(fromByteOffset: 4 * $0, as: UInt32.self) == 0xEEEE_EEEE })
        #expect((capacity + 8..<capacity + 16).allSatisfy { memory.load(fromByteOffset: 4 * $0, as: UInt32.self) == 0xEEEE_EEEE })
    }

    /// However many come, also more than the word counts.
    @Test(arguments: [8, 32, 1024, 32_768]) func theNewestAreHeldInOrder(capacity: Int) {
        withList(capacity) { first in
            var list = first
            #expect(list.count == 0 && list.capacity == capacity)
            let looks = Set([1, 2, capacity - 1, capacity, capacity + 1, 3 * capacity / 2, 65_535, 65_536, 65_537, 65_536 + capacity / 2, 200_000])
            for number in 1...200_000 {
                list = list.appending(UInt32(number))
                guard looks.contains(number) else { continue }
                let count = min(number, capacity), held = (number - count + 1)...number
                #expect(list.capacity == capacity && list.address == first.address && list.count == count)
                #expect((0..<count).map { list[$0] } == held.map(UInt32.init), "after \(number)")
                let newest = [UInt32](unsafeUninitializedCapacity: count) {
                    list.copyNewest(count, into: $0)
                    $1 = count
                }
                #expect(newest == held.reversed().map(UInt32.init))
            }
        }
    }

    @Test func whatWasReadIsKeptUntilItMayBeOverwritten() {
        withList(8) { first in
            var list = first
            for item in 0..<20 as Range<UInt32> { list = list.appending(item) }
            var later = list
            for written in 1...9 {
                later = later.appending(0)
                // Item number `written` + 1 may be under way.
                for count in 0...8 { #expect(list.keeps(count, until: later.bits) == (written + count < 8), "\(count) after \(written)") }
            }
            #expect(list.keeps(8, until: list.bits) && !list.keeps(1, until: 0))
            withList(8) { #expect(!list.keeps(1, until: $0.appending(1).bits)) }
            // Counted anew: nobody knows how many came.
            var last = first
            while last.written < 65_535 { last = last.appending(0) }
            #expect(!last.keeps(1, until: last.appending(0).bits))
        }
    }

    /// A list of any length says what it holds, and nothing of what lies behind that.
    @Test func aListIsSearchedInEightWordsAtATime() {
        var dice = Dice(12)
        for capacity in [8, 16, 32, 64, 256] {
            for count in 0...capacity {
                withList(capacity) { empty in
                    // What lies behind the items is in range, too.
                    var full = empty, list = empty
                    for _ in 0..<capacity { full = full.appending(UInt32(dice.below(300))) }
                    let items = (0..<count).map { full[$0] }
                    for item in items { list = list.appending(item) }
                    let held = Set(items)
                    for value in 0..<300 as Range<UInt32> {
                        #expect((fk_has_seen(list.bits, 1, value) != 0) == held.contains(value), "\(value) of \(count) in \(capacity)")
                    }
                    let some = (0..<5).map { _ in UInt32(dice.below(300)) }
                    #expect((fk_list_holds_any(list.bits, some, 5) != 0) == !held.isDisjoint(with: some))
                    #expect(fk_list_holds_any(list.bits, some, 0) == 0)
                }
            }
        }
    }
}
