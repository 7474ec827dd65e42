import CKernels
import Synchronization

@testable import Factorization

extension Engine {
    /// Items whose copy is taken for fresh and is not what their row is. While trainers stand.
    func staleCopies(_ number: Int = 0) -> [UInt32] {
        let model = models[number]
        guard let copy = model.items.copy, copy.bytes > 0 else { return [] }
        let width = model.width, coarseBytes = fk_coarse_bytes(width), fineBytes = fk_fine_bytes(width)
        var coarse = [UInt8](repeating: 0, count: coarseBytes), fine = [UInt8](repeating: 0, count: fineBytes)
        var floats = [Float](repeating: 0, count: width)
        func isSame(_ a: UnsafePointer<UInt8>, _ b: [UInt8], row: Int, bytes: Int) -> Bool {
            for word in stride(from: 4 * row, to: bytes, by: 64) {
                for byte in 0..<4 where a[word + byte] != b[word + byte] { return false }
            }
            return true
        }
        let met = copy.bytes / RowCopy.rowBytes(width: width)
        return (0..<UInt32(min(met, items.count))).filter { item in
            let round = copy.round(of: Int(item)), place = Int(item) & (1 << Int(Placement.roundBits) - 1)
            guard round.marks[place].load(ordering: .relaxed) == 1 else { return false }
            let row = floats.withUnsafeMutableBufferPointer { model.items.read(item, count: width, $0.baseAddress!, model.kernels) }
            copy.scans.write(&coarse, &fine, place % 16, row, fk_read_state(model.items.state(item)).weight, width)
            let tile = round.tile(place)
            return !isSame(tile.coarse, coarse, row: place % 16, bytes: coarseBytes) || !isSame(tile.fine, fine, row: place % 16, bytes: fineBytes)
        }
    }

    /// Items whose copy is taken for fresh.
    func freshCopies(_ number: Int = 0) -> Int {
        guard let copy = models[number].items.copy, copy.bytes > 0 else { return 0 }
        return (0..<items.count).count {
            copy.round(of: $0).marks[$0 & (1 << Int(Placement.roundBits) - 1)].load(ordering: .relaxed) == 1
        }
    }
}

/// Two scorers of one engine: by the copy, and by the plain scan of floats.
struct ScorerPair {
    let engine: Engine
    let quick: Scorer
    let plain: Scorer

    init(_ engine: Engine) {
        self.engine = engine
        quick = Scorer(engine: engine, copySize: 1)
        plain = Scorer(engine: engine, copySize: .max)
    }

    /// Whether both give the same lists, bit for bit, to dice's queries.
    func agree(_ dice: inout Dice, queries: Int = 3, model: Int = 0) -> Bool {
        guard engine.users.count > 0, engine.items.count > 0 else { return true }
        return (0..<queries).allSatisfy { _ in
            var features: [(ordinal: UInt32, weight: Float)] = []
            if engine.contexts.count > 0 && dice.below(2) == 0 {
                features = (0..<1 + dice.below(3)).map { _ in (UInt32(dice.below(engine.contexts.count)), Float(dice.real(-2...2))) }
            }
            let query = RecommendQuery(
                user: UInt32(dice.below(engine.users.count)), features: features, count: [1, 3, 10, 40, 1000][dice.below(5)],
                excludesSeen: dice.below(2) == 0, excluded: (0..<dice.below(20)).map { _ in UInt32(dice.below(engine.items.count + 5)) })
            let a = quick.recommend(model: model, query), b = plain.recommend(model: model, query)
            return a == b && zip(a.items, b.items).allSatisfy { $0.score.bitPattern == $1.score.bitPattern }
        }
    }
}
