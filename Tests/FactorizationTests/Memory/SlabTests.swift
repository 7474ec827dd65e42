import CKernels
import Testing

@testable import Factorization

/// Where rows lie: columns of common slabs, each row in a place of its own that it keeps.
@Suite struct SlabTests {
    /// Ordinals on both sides of every border: of a shard, a slab, a round.
    private let ordinals: [UInt32] = {
        let round = UInt32(1) << Placement.roundBits
        return [0, 1, 63, 64, 65, 4095, 4096, round - 64, round - 1, round, round + 1, round + 64, 2 * round - 1, 2 * round]
    }()

    @Test func columnsOfCommonSlabsDoNotMeet() {
        let sizes = [32, 16, 4, 8]
        let slabs = Slabs(rowBytes: sizes.reduce(0, +))
        let columns = sizes.indices.map { SlabStore(rowBytes: sizes[$0], of: slabs, behind: sizes[..<$0].reduce(0, +)) }
        for ordinal in ordinals { columns[Int(ordinal) % columns.count].ensure(ordinal) }
        for ordinal in ordinals {
            for (number, column) in columns.enumerated() {
                for byte in 0..<column.rowBytes {
                    #expect(column.address(ordinal).load(fromByteOffset: byte, as: UInt8.self) == 0)
                    column.address(ordinal).storeBytes(of: UInt8(truncatingIfNeeded: mix64(UInt64(ordinal) &+ UInt64(number * 64 + byte))), toByteOffset: byte, as: UInt8.self)
                }
            }
        }
        for ordinal in ordinals {
            for (number, column) in columns.enumerated() {
                for byte in 0..<column.rowBytes {
                    let wanted = UInt8(truncatingIfNeeded: mix64(UInt64(ordinal) &+ UInt64(number * 64 + byte)))
                    #expect(column.address(ordinal).load(fromByteOffset: byte, as: UInt8.self) == wanted, "ordinal \(ordinal), column \(number)")
                }
            }
        }
        #expect(columns.map(\.mappedBytes) == sizes.map { 3 * $0 << Int(Placement.roundBits) })
    }

    @Test func theRowsOfAShardLieInOnePiece() {
        let store = SlabStore(rowBytes: 48)
        for ordinal in ordinals { store.ensure(ordinal) }
        for shard in [0, 5, 63] {
            let run = store.run(shard: shard, from: 10, limit: 10_000)
            #expect(run.count == Placement.rowsPerSlab - 10)
            for local in [10, 11, Placement.rowsPerSlab - 1] {
                #expect(run.address + (local - 10) * 48 == store.address(Placement.ordinal(shard: shard, local: local)))
            }
            #expect(UInt(bitPattern: store.run(shard: shard, from: Placement.rowsPerSlab, limit: 7).address) % 64 == 0)
        }
    }

    /// A round's pages may be gathered into huge ones, once it is full or while it grows: what lies there stays, where it lies.
    @Test(arguments: [false, true])
    func rowsOutliveTheGatheringOfTheirPages(early: Bool) {
        let store = SlabStore(rowBytes: 16)
        if early { store.gatherEarly() }
        let count = UInt32(2) << Placement.roundBits
        var places: [UnsafeMutableRawPointer] = []
        for ordinal in 0..<count {
            store.ensure(ordinal)
            store.address(ordinal).storeBytes(of: mix64(UInt64(ordinal)), as: UInt64.self)
            if ordinal % 4099 == 0 { places.append(store.address(ordinal)) }
        }
        #expect((0..<count).allSatisfy { store.address($0).load(as: UInt64.self) == mix64(UInt64($0)) })
        #expect(places == stride(from: 0, to: count, by: 4099).map { store.address($0) })
    }

    /// Of a round of short rows one piece a turn and none at last, of long ones several: each piece has one turn, before the next
    /// round's begin.
    @Test(arguments: [false, true])
    func everyPieceOfARoundIsGatheredOnce(early: Bool) {
        let round = UInt32(1) << Placement.roundBits, first = early ? round / 4 : round
        // Up to the accumulators of 2,048 coordinates beside their factors. Rounds are only mapped for rows.
        for rowBytes in [4, 16, 144, 528, 2016, 2032, 2048, 2064, 2080, 3088, 4112, 6144, 8208, 16_400] {
            let slabs = Slabs(rowBytes: rowBytes)
            if early { slabs.gatherEarly() }
            let huge = 2 << 20, count = ((rowBytes << Int(Placement.slabBits) + 33 * 64) << Int(Placement.shardBits)) / huge
            for number in 0..<2 {
                let begin = first + UInt32(number) * round
                let turns = stride(from: begin, to: begin + round, by: 256).compactMap { slabs.gathering(before: $0) }
                #expect(turns.allSatisfy { $0.round == number } && turns.flatMap(\.pieces) == Array(0..<count), "rows of \(rowBytes) bytes")
                #expect(turns.allSatisfy { $0.pieces.count <= count / 256 + 1 }, "rows of \(rowBytes) bytes")
            }
            #expect(stride(from: 0, to: first, by: 256).allSatisfy { slabs.gathering(before: $0) == nil })
        }
    }

    /// The first rows of all shards are the oldest and often the busiest: they must not meet in one set of a cache.
    @Test func firstRowsOfShardsLieInDifferentSets() {
        for rowBytes in [16, 48, 144, 528] {
            let store = SlabStore(rowBytes: rowBytes)
            store.ensure(0)
            let sets = Set((0..<UInt32(Placement.shardCount)).map { UInt(bitPattern: store.address($0)) / 64 % 64 })
            #expect(sets.count == 64)
        }
    }

    @Test(arguments: [true, false])
    func aRowOfATableIsWhatItsColumnsSay(ofAll: Bool) {
        let table = FactorTable(
            rank: 12, tail: 3, perCoordinate: ofAll, ftrl: ofAll ? ModelSettings.Ftrl() : nil, seed: 5, deviation: 0.1, stamped: ofAll)
        for ordinal in ordinals.sorted() { table.makeReady(ordinal) }
        let stores = Dictionary(uniqueKeysWithValues: table.stores.map { ($0.name, $0.store) })
        #expect(stores.count == (ofAll ? 5 : 2))
        for ordinal in ordinals {
            let row = table.rows.row(ordinal)
            #expect(UnsafeMutableRawPointer(row.factors) == stores["factors"]!.address(ordinal))
            #expect(UnsafeMutableRawPointer(row.state) == stores["states"]!.address(ordinal))
            #expect(row.factors == table.factors(ordinal) && row.state == table.state(ordinal))
            #expect(table.accumulators(ordinal).map { UnsafeMutableRawPointer($0) } == stores["accumulators"]?.address(ordinal))
            #expect(table.linear(ordinal).z.map { UnsafeMutableRawPointer($0) } == stores["ftrl"]?.address(ordinal))
        }
    }
}
