import CKernels
import Synchronization
import Testing

@testable import Factorization

@Suite struct IdTests {
    private func canonical(_ text: String) -> Int64? { Array(text.utf8).withUnsafeBytes { IdPolicy.canonicalInteger($0) } }

    @Test func onlyCanonicalDecimalBecomesAnInteger() {
        let integers: [(String, Int64)] = [
            ("1", 1), ("0", 0), ("-5", -5), ("9223372036854775807", .max), ("-9223372036854775808", .min), ("1000", 1000),
        ]
        for (text, value) in integers { #expect(canonical(text) == value, "\(text)") }
        for text in [
            "", "-", "01", "-0", "-05", "+1", " 1", "1 ", "1.0", "1e3", "00", "a", "9223372036854775808",
            "-9223372036854775809", "18446744073709551616", "99999999999999999999", "123456789012345678901",
        ] { #expect(canonical(text) == nil, "\(text)") }
    }

    @Test func policiesDecideWhetherTextAndIntegerAreOne() {
        let table = EntityTable(epochs: ReaderEpochs()), hashing = KeyHash(seed: 3)
        let integer = Key(integer: 42, hashing: hashing)
        table.publish(table.admit(integer)!, key: integer)
        let text = Array("42".utf8)
        text.withUnsafeBytes {
            #expect(table.find(IdPolicy.canonical.key(text: $0, hashing: hashing)) == 0)
            #expect(table.find(IdPolicy.exact.key(text: $0, hashing: hashing)) == Placement.none)
        }
    }

    @Test func namespacesKeepEqualValuesApart() {
        let table = EntityTable(epochs: ReaderEpochs()), hashing = KeyHash(seed: 3)
        let text = Array("x".utf8)
        text.withUnsafeBytes { text in
            let keys = (1...50).flatMap { (n: UInt16) in
                [Key(integer: 7, namespace: n, hashing: hashing), Key(text: text, namespace: n, hashing: hashing)]
            }
            for (index, key) in keys.enumerated() {
                #expect(table.find(key) == Placement.none)
                table.publish(table.admit(key)!, key: key)
                #expect(table.find(key) == UInt32(index))
            }
            for (index, key) in keys.enumerated() { #expect(table.find(key) == UInt32(index)) }
        }
    }

    @Test func findsEachOfManyIdsAndNoOther() {
        let table = EntityTable(epochs: ReaderEpochs()), hashing = KeyHash(seed: 9)
        let bytes = EventBatch(textCapacity: 8 << 20)
        func key(_ index: Int) -> Key {
            let value = mix64(UInt64(index / 2))
            if index % 2 == 0 { return Key(integer: Int64(bitPattern: value), hashing: hashing) }
            var text = String(value, radix: 36) + String(repeating: "é", count: index % 5)
            let range = text.withUTF8 { bytes.copyText(UnsafeRawBufferPointer($0))! }
            return Key(text: bytes.text(range), hashing: hashing)
        }
        for index in 0..<100_000 {
            let key = key(index)
            table.publish(table.admit(key)!, key: key)
        }
        var wrong = 0
        for index in 0..<100_000 where table.find(key(index)) != UInt32(index) { wrong += 1 }
        bytes.reset()
        for index in 100_000..<140_000 where table.find(key(index)) != Placement.none { wrong += 1 }
        for index in stride(from: 0, to: 100_000, by: 997) where table.key(UInt32(index), hashing: hashing).hash != key(index).hash {
            wrong += 1
        }
        #expect(wrong == 0 && table.count == 100_000)
    }

    /// Keys that share table, tag and first place differ only in the id itself.
    @Test func equalHashesAreToldApartByTheWholeId() {
        let index = IdIndex(epochs: ReaderEpochs())
        for ordinal in 0..<300 as Range<UInt32> { index.insert(hash: 0xFFFF_0000_1234_5678, ordinal: ordinal) }
        for ordinal in 0..<300 as Range<UInt32> {
            #expect(index.find(hash: 0xFFFF_0000_1234_5678) { $0 == ordinal } == ordinal)
        }
        #expect(index.find(hash: 0xFFFF_0000_1234_5678) { _ in false } == Placement.none)
        #expect(index.find(hash: 0xFFFF_0000_1234_5679) { _ in true } == Placement.none)
    }

    /// Past the size from which tables of one size lie together, and to and fro as removed ids leave them full of tombstones.
    @Test func largeTablesAreGivenBackAsTheyAreOutgrown() {
        let index = IdIndex(epochs: ReaderEpochs()), count = 400_000 as UInt32
        func hash(_ ordinal: UInt32) -> UInt64 { mix64(UInt64(ordinal)) }
        for ordinal in 0..<count { index.insert(hash: hash(ordinal), ordinal: ordinal) }
        for round in 0..<3 as Range<UInt32> {
            for ordinal in 0..<count where ordinal % 3 == round { index.remove(hash: hash(ordinal), ordinal: ordinal) }
            for ordinal in 0..<count {
                let found = index.find(hash: hash(ordinal)) { $0 == ordinal }
                if found != (ordinal % 3 == round ? Placement.none : ordinal) { Issue.record("ordinal \(ordinal): \(found)") }
            }
            for ordinal in 0..<count where ordinal % 3 == round { index.insert(hash: hash(ordinal), ordinal: ordinal) }
        }
        #expect((10...16).contains(Double(index.bytes) / Double(count)))
    }

    /// Few lines that many ids want, so that most lie beyond their own, and tombstones are made and taken up all the time.
    @Test(arguments: 0..<8) func idsComeAndGoInLinesThatAreFull(seed: Int) {
        let index = IdIndex(epochs: ReaderEpochs())
        var dice = Dice(seed), held: [UInt32: UInt64] = [:], wrong = 0
        let most = 40 * (seed + 1)
        func find(_ ordinal: UInt32, _ hash: UInt64) -> UInt32 { index.find(hash: hash) { $0 == ordinal } }
        for step in 0..<20_000 {
            let ordinal = UInt32(dice.below(2 * most))
            if let hash = held.removeValue(forKey: ordinal) {
                index.remove(hash: hash, ordinal: ordinal)
                if find(ordinal, hash) != Placement.none { wrong += 1 }
            } else if held.count < most {
                // For the first line, one of them with the tag of tombstones, for the last one, behind which comes the first, and for any.
                let low = UInt64(dice.below(3)), tag = [low, UInt64(UInt32.max) - low, UInt64(dice.below(1 << 32))][dice.below(3)]
                index.insert(hash: tag, ordinal: ordinal)
                held[ordinal] = tag
            }
            if step % 500 == 0 { for (ordinal, hash) in held where find(ordinal, hash) != ordinal { wrong += 1 } }
        }
        #expect(wrong == 0 && held.count > most / 2)
    }

    @Test func aLineSaysWhatItsEntriesSay() {
        let line = UnsafeMutablePointer<UInt64>.allocate(capacity: Int(fk_line_entries))
        defer { line.deallocate() }
        var dice = Dice(7)
        for _ in 0..<2000 {
            let tag = UInt32(dice.below(3)) << 30
            var same: UInt32 = 0, empty: UInt32 = 0
            for slot in 0..<Int(fk_line_entries) {
                line[slot] = dice.below(3) == 0 ? 0 : UInt64(dice.below(3)) << 62 | UInt64(dice.below(2))
                if UInt32(line[slot] >> 32) == tag { same |= 1 << UInt32(slot) }
                if line[slot] == 0 { empty |= 1 << UInt32(slot) }
            }
            #expect(fk_look_at_line(line, tag) == same | empty << 8)
        }
    }

    @Test func aRegionServesTablesOfOneSize() {
        var memory = IdTableMemory()
        let bytes = 64 << 10
        let tables = (0..<130).map { _ in memory.take(bytes) }, other = memory.take(2 * bytes), small = memory.take(1 << 10)
        #expect(Set(tables).count == 130 && tables[63] == tables[0] + 63 * bytes && !tables.contains(other))
        for (number, table) in tables.enumerated() { table.initializeMemory(as: UInt8.self, repeating: UInt8(number), count: bytes) }
        for table in tables[64..<128].shuffled() { memory.give(table, bytes) }
        for number in [0, 63, 128, 129] { #expect(tables[number].load(fromByteOffset: bytes - 1, as: UInt8.self) == UInt8(number)) }
        memory.give(tables[40], bytes)
        #expect(memory.take(bytes) == tables[40])
        memory.give(other, 2 * bytes)
        memory.give(small, 1 << 10)
    }

    @Test func readersFindEverythingPublishedWhileItGrows() {
        let epochs = ReaderEpochs(), hashing = KeyHash(seed: 1)
        let table = EntityTable(epochs: epochs)
        let done = Atomic<Bool>(false), missing = Atomic<Int>(0), looked = Atomic<Int>(0)
        let total = 40_000
        let reader: @Sendable () -> Void = {
            let ticket = epochs.register()
            var dice = Dice(ticket)
            repeat {
                epochs.reading(ticket) {
                    // `count` shows an id a moment before the index does, so the newest is left out.
                    let known = table.count - 1
                    guard known > 0 else { return }
                    for _ in 0..<20 {
                        let id = dice.below(known)
                        if table.find(Key(integer: Int64(id), hashing: hashing)) != UInt32(id) { missing.add(1, ordering: .relaxed) }
                        looked.add(1, ordering: .relaxed)
                    }
                }
            } while !done.load(ordering: .acquiring)
        }
        let writer: @Sendable () -> Void = {
            for id in 0..<total {
                let key = Key(integer: Int64(id), hashing: hashing)
                table.publish(table.admit(key)!, key: key)
            }
            done.store(true, ordering: .releasing)
        }
        onThreads([writer, reader, reader])
        #expect(missing.load(ordering: .relaxed) == 0 && looked.load(ordering: .relaxed) > 0)
    }
}
