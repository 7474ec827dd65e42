import CKernels
import Testing

@testable import Factorization

/// What an optimiser's options keep over a stream: rows without factors, caps, padding, snapshots.
@Suite struct OptimizerStateTests {
    private static let kinds = [
        KindCase(kind: .mf), KindCase(kind: .mf, loss: .bpr), KindCase(kind: .fm, loss: .warp), KindCase(kind: .gfm), KindCase(kind: .hofm),
        KindCase(kind: .ffm, loss: .squared), KindCase(kind: .bilinear),
    ]
    static let sparse = OptimizerCase.all.filter { $0.steps.ftrl?.sparseFactors == true }

    private func engine(_ kind: KindCase, _ optimizer: OptimizerCase, history: Int = 4, _ change: (inout ModelSettings) -> Void = { _ in }) -> Engine {
        var settings = kind.settings(history: history, negatives: 2)
        optimizer.apply(to: &settings)
        change(&settings)
        return Engine(settings: EngineSettings(models: [settings], queueCapacity: 64, historyLength: 8))
    }

    private func describe(_ engine: Engine) {
        for id in 0..<Int64(6) { engine.describe(item: id, [TestFeature(field: "genre", value: id % 3)]) }
        for id in 0..<Int64(3) { engine.describe(user: id, [TestFeature(field: "town", value: id % 2)]) }
    }

    /// Weight, updates and all numbers of each row of each group that has weights.
    private func rows(_ engine: Engine) -> [String: OptimizedRow] {
        var rows: [String: OptimizedRow] = [:]
        for (name, side, table) in engine.models[0].groups where name != "histories" {
            for ordinal in 0..<UInt32(engine.rowCount(side)) { rows["\(name) \(ordinal)"] = OptimizedRow(table, ordinal) }
        }
        return rows
    }

    @Test(arguments: sparse) func rowsWithoutWeightKeepNoFactors(_ optimizer: OptimizerCase) {
        for kind in OptimizerStateTests.kinds where kind.kind != .bilinear {
            let engine = engine(kind, optimizer) {
                $0.steps.ftrl!.l1 = 1.2
                $0.l2.weight = 0
            }
            describe(engine)
            var before = rows(engine), woken = 0, asleep = 0, lulled = 0
            for event in randomEvents(150, users: 5, items: 9, context: 2, seed: 12) {
                engine.learn([event])
                let after = rows(engine)
                for (name, row) in after {
                    let isZero = row.v.allSatisfy { $0 == 0 }, old = before[name]
                    #expect((row.w == 0) == isZero, "\(kind), \(name)")
                    if row.w == 0 {
                        asleep += 1
                        lulled += (old?.w ?? 0) != 0 ? 1 : 0
                        #expect(row.factorAccumulator == 0 && dot(row.accumulators, row.accumulators) == 0, "\(kind), \(name)")
                    } else if (old?.w ?? 0) == 0, row.updates == (old?.updates ?? 0) + 1 {
                        woken += 1
                        #expect(row.v == row.first, "\(kind), \(name): first values")
                    }
                }
                before = after
            }
            #expect(woken > 10 && asleep > 10 && lulled > 0, "\(kind): \(woken) woken, \(asleep) asleep, \(lulled) lulled")
        }
    }

    /// First values are those of the same model with factors for every row.
    @Test func firstValuesAreThoseOfAModelThatIsNotSparse() {
        let sparse = engine(KindCase(kind: .mf), OptimizerStateTests.sparse[0]), dense = engine(KindCase(kind: .mf), OptimizerCase.all[6])
        for engine in [sparse, dense] { engine.learn(randomEvents(40, users: 5, items: 9, seed: 12)) }
        for (one, other) in zip(sparse.models[0].groups, dense.models[0].groups) {
            for ordinal in 0..<UInt32(dense.rowCount(other.side)) {
                other.table.reset(ordinal)
                #expect(ReferenceRow(other.table, ordinal).v == OptimizedRow(one.table, ordinal).first && ordinal < 100)
            }
        }
    }

    @Test(arguments: OptimizerCase.all) func capsHoldInEveryPath(_ optimizer: OptimizerCase) {
        for kind in OptimizerStateTests.kinds {
            for history in [0, 4] {
                let engine = engine(kind, optimizer, history: history) {
                    $0.rates = .init(user: 3, item: 3, context: 3, weight: 1, history: 3, attribute: 3)
                    $0.normCap = 0.75
                    $0.deviation = 0.05
                    $0.errorCap = 0.5
                }
                describe(engine)
                engine.learn(randomEvents(80, users: 5, items: 9, context: history == 0 ? 0 : 2, seed: 13))
                for (name, side, table) in engine.models[0].groups {
                    for ordinal in 0..<UInt32(engine.rowCount(side)) {
                        let row = OptimizedRow(table, ordinal)
                        #expect(dot(row.numbers, row.numbers).isFinite)
                        #expect(dot(row.v, row.v).squareRoot() <= 0.751, "\(kind), history \(history), \(name) \(ordinal)")
                    }
                }
                #expect(engine.caps(0).clipped > 0)
            }
        }
    }

    /// An error is cut before it reaches a weight: with l2 off no weight moves by more than rate × cap × x in an event.
    @Test(arguments: ModelSettings.Loss.allCases) func errorsAreCutInEveryLoss(_ loss: ModelSettings.Loss) {
        let engine = engine(KindCase(kind: .mf, loss: loss), OptimizerCase.all[6], history: 0) {
            $0.errorCap = 0.25
            $0.steps.ftrl!.l1 = 0
        }
        for event in randomEvents(60, users: 5, items: 9, context: 0, seed: 14) {
            let before = rows(engine)
            var event = event
            event.weight = 50
            engine.learn([event])
            for (name, row) in rows(engine) where name.hasPrefix("items") {
                let steps = row.updates - (before[name]?.updates ?? 0), grown = row.weightAccumulator - (before[name]?.weightAccumulator ?? 0)
                #expect(grown <= steps * 0.0626, "\(name)")
            }
        }
        #expect(engine.caps(0).clipped > 0)
    }

    @Test(arguments: OptimizerCase.all) func paddingStaysZeroAtEveryRank(_ optimizer: OptimizerCase) {
        for rank in [1, 2, 3, 5, 7, 8, 9, 13, 16, 17, 31, 33, 63, 65, 127, 130] {
            for loss in [ModelSettings.Loss.logistic, .bpr] {
                let engine = engine(KindCase(kind: .mf, loss: loss), optimizer, history: rank % 2) { $0.rank = rank }
                engine.learn(randomEvents(20, users: 3, items: 5, seed: rank))
                for (_, side, table) in engine.models[0].groups {
                    for ordinal in 0..<UInt32(engine.rowCount(side)) {
                        let row = table.factors(ordinal), held = table.accumulators(ordinal)
                        let isZero = (table.rank..<table.width).allSatisfy { row[$0] == 0 && held?[$0] ?? 0 == 0 }
                        #expect(isZero, "rank \(rank)")
                    }
                }
            }
        }
    }

    @Test(arguments: OptimizerCase.all) func aSnapshotHoldsTheOptimisersState(_ optimizer: OptimizerCase) throws {
        for kind in OptimizerStateTests.kinds {
            let one = engine(kind, optimizer), other = engine(kind, optimizer)
            one.learn(randomEvents(120, users: 9, items: 15, seed: 15))
            describe(one)
            let state = MemoryState(one)
            try other.restore(from: state)
            #expect(state.differences(MemoryState(other)) == [])
            let holdsZ = state.sections.keys.contains { $0.contains("/users/ftrl/") }
            let holdsHistoryZ = state.sections.keys.contains { $0.contains("/histories/ftrl/") }
            #expect(holdsZ == (one.models[0].settings.weightFtrl != nil) && !holdsHistoryZ)
            for engine in [one, other] { engine.learn(randomEvents(60, users: 12, items: 18, seed: 16)) }
            #expect(MemoryState(one).differences(MemoryState(other)) == [])
        }
    }

    @Test func aStateWithFtrlIsAnotherModels() {
        func refusal(_ from: OptimizerCase, _ to: OptimizerCase) -> String? {
            let saved = engine(KindCase(kind: .mf), from)
            saved.learn(randomEvents(5, seed: 17))
            do { try engine(KindCase(kind: .mf), to).restore(from: MemoryState(saved)) } catch StateError.changed(let key, _, _) { return key } catch {}
            return nil
        }
        let plain = OptimizerCase.all[0], ftrl = OptimizerCase.all[6], sparse = OptimizerCase.all[10]
        #expect(refusal(plain, ftrl) == "models.main.optimizer.weights")
        #expect(refusal(ftrl, plain) == "models.main.optimizer.weights")
        #expect(refusal(ftrl, sparse) == "models.main.optimizer.sparse_factors")
        // Schedules may change while a model lives.
        #expect(refusal(plain, OptimizerCase.all[1]) == nil)
    }
}
