import Factorization
import Testing

@testable import FactordServer

/// What acknowledged streams take of each source: each message once, whole, in order.
@Suite("Table of sources")
struct SourceTableTests {
    /// One message, or a part of one, in a batch of its own.
    private func entry(
        _ source: String, _ epoch: UInt64, _ sequence: UInt64, records: UInt32 = 1, continues: Bool = false, isComplete: Bool = true
    ) -> (MessageEntry, EventBatch) {
        let batch = EventBatch(recordCapacity: 1, featureCapacity: 1, textCapacity: 256, messageCapacity: 1)
        var source = source
        let range = source.withUTF8 { batch.copyText(UnsafeRawBufferPointer($0))! }
        var entry = MessageEntry(
            stream: 0, firstRecord: 0, recordCount: records, source: range, epoch: epoch, sequence: sequence, isNumbered: true)
        entry.isContinuation = continues
        entry.isComplete = isComplete
        return (entry, batch)
    }

    /// Gives a message to the table; it is taken where the verdict says so.
    @discardableResult
    private func send(
        _ table: inout SourceTable, _ source: String, _ epoch: UInt64, _ sequence: UInt64, records: UInt32 = 1, continues: Bool = false,
        isComplete: Bool = true, number: UInt64 = 0
    ) -> SourceTable.Verdict {
        let (entry, batch) = entry(source, epoch, sequence, records: records, continues: continues, isComplete: isComplete)
        let verdict = table.verdict(entry, of: batch)
        if case .take(let skipped) = verdict {
            var part = entry
            part.recordCount -= UInt32(skipped)
            table.take(part, of: batch, ticket: DurabilityTicket(number: number, era: 1), position: number * 10)
        }
        return verdict
    }

    @Test("In order from 1; others are told which comes next, duplicates when theirs was taken, older epochs are refused")
    func order() {
        var table = SourceTable(limit: 10)
        #expect(send(&table, "a", 5, 2) == .expected(1))
        #expect(send(&table, "a", 5, 1, number: 7) == .take(skipping: 0))
        #expect(send(&table, "a", 5, 1) == .duplicate(DurabilityTicket(number: 7, era: 1), position: 70))
        #expect(send(&table, "a", 5, 3) == .expected(2))
        #expect(send(&table, "b", 5, 1) == .take(skipping: 0))
        #expect(send(&table, "a", 5, 2) == .take(skipping: 0))
        #expect(send(&table, "a", 4, 9) == .oldEpoch(5))
        #expect(send(&table, "a", 6, 3) == .expected(1))
        #expect(send(&table, "a", 5, 3) == .take(skipping: 0))
        #expect(send(&table, "a", 6, 1) == .take(skipping: 0))
        #expect(send(&table, "a", 5, 4) == .oldEpoch(6))
    }

    @Test("A message in parts counts when its last is in; sent again after a break, what is in is passed over")
    func parts() {
        var table = SourceTable(limit: 10)
        #expect(send(&table, "a", 1, 1, records: 100, isComplete: false) == .take(skipping: 0))
        #expect(send(&table, "a", 1, 1, records: 50, continues: true, isComplete: false) == .take(skipping: 0))
        // A crash: the table as it was saved.
        var later = SourceTable(table.encoded(), limit: 10)!
        #expect(send(&later, "a", 1, 1, records: 70, isComplete: false) == .take(skipping: 70))
        #expect(send(&later, "a", 1, 1, records: 100, continues: true, isComplete: false) == .take(skipping: 80))
        #expect(send(&later, "a", 1, 1, records: 30, continues: true) == .take(skipping: 0))
        #expect(send(&later, "a", 1, 1, records: 200) == .duplicate(DurabilityTicket(number: 0, era: 1), position: 0))
        #expect(send(&later, "a", 1, 2) == .take(skipping: 0))
        // The rest of a sending whose beginning was refused is not taken for a beginning.
        #expect(send(&later, "a", 1, 3, records: 5, continues: true) == .expected(3))
        // And neither is one whose sending was broken off by the storage.
        #expect(send(&later, "a", 1, 3, records: 10, isComplete: false) == .take(skipping: 0))
        let (broken, batch) = entry("a", 1, 3, records: 5, continues: true)
        later.refuse(broken, of: batch)
        #expect(send(&later, "a", 1, 3, records: 5, continues: true) == .expected(3))
        #expect(send(&later, "a", 1, 3, records: 20) == .take(skipping: 10))
    }

    @Test("At the limit the source silent for longest goes, and begins anew; saved and loaded, the order is the same")
    func limit() {
        var table = SourceTable(limit: 3)
        for name in ["a", "b", "c"] { send(&table, name, 1, 1) }
        send(&table, "a", 1, 2)
        var copy = SourceTable(table.encoded(), limit: 3)!
        for index in 0..<2 {
            #expect(send(&table, "d\(index)", 1, 1) == .take(skipping: 0))
            #expect(send(&copy, "d\(index)", 1, 1) == .take(skipping: 0))
        }
        #expect(table.encoded() == copy.encoded())
        #expect(table.count == 3 && table.expired == 2)
        #expect(send(&table, "a", 1, 3) == .take(skipping: 0))
        #expect(send(&table, "b", 1, 2) == .expected(1))
        #expect(send(&table, "b", 2, 1) == .take(skipping: 0))
    }

    @Test("Bytes that are no table are refused")
    func damage() {
        var table = SourceTable(limit: 5)
        for name in ["a", "bb", "ccc"] { send(&table, name, 1, 1) }
        let bytes = table.encoded()
        for length in 0..<bytes.count { #expect(SourceTable(bytes[..<length], limit: 5) == nil) }
        #expect(SourceTable(bytes + [0], limit: 5) == nil)
        #expect(SourceTable(bytes, limit: 5)?.encoded() == bytes)
        // A lower limit keeps the newest.
        var small = SourceTable(bytes, limit: 1)!
        #expect(send(&small, "ccc", 1, 2) == .take(skipping: 0))
    }
}
