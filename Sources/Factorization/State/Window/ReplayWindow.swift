import CKernels
import Synchronization

/// The stretch of the stream that a restored state holds in part: after the sequencer's position P0, up to the highest position
/// of any piece. While the stream is applied again there, each part of an event goes only where it is not yet.
///
/// Let W[piece][k] be what trainer k had applied when a piece was copied, and k the trainer that had the event's user then. An
/// event at position p is learned as ever, but rows of pieces with p ≤ W[piece][k] are put back to what they were before; so are
/// parameters and metrics. A user's lists change only where p > W. Rows of ordinals that the sequencer gives out are left alone
/// where the piece was copied later than that. So every part of every event is in each row once.
///
/// * Between the restart and the end of the window one trainer works at a time, so that a row which is put back has had no
///   other visitor. The window is as long as the snapshot took; after it, nothing of this is on the path.
/// * What fades or is settled by position, rows' stamps say whether it is done already.
/// * Gram matrices are computed from the rows when the window ends.
///
/// Thread safety: everything under its lock; `isOpen` is for anyone.
final class ReplayWindow: @unchecked Sendable {
    /// The position at which the window ends: all that a piece holds lies before.
    let highest: UInt64
    /// Trainers when the state was captured.
    private let trainers: Int
    private let pieces: [PieceTable.Entry]
    private let marks: PieceMarks
    /// By model and group.
    private let held: [[HeldRows]]
    /// By model: what it holds whole.
    private let whole: [HeldWhole]
    /// By trainer: beyond which no list holds anything.
    private let lastLists: [UInt64]
    /// Pieces of lists, in the order of their ordinals: users' lists, attributes of users, of items.
    private let listPieces: [[Int]]
    /// The piece of each shard of the reservoir, and of each model's globals.
    private let replayPieces: [Int: Int]
    private let globalPieces: [Int: Int]
    private let open = Atomic<Bool>(true)
    /// Taken by whoever works. Plain atomics, for the thread sanitizer does not see the futex of `Mutex`.
    private let taken = Atomic<Bool>(false)
    /// Trainers that have passed the window. Under the lock.
    private var passed: [Bool]
    let saver = RowSaver()
    /// The groups of each model, and the stores of each group: asked for with every row.
    let groups: [RowGroups]
    let stores: [[[SlabStore]]]
    /// For learners of runs, by model.
    let runs: [HeldRun]
    /// The models' sums. Set by the engine.
    var bases: [WitnessBase] = []
    /// What is to be done when the window ends. Set by the engine.
    var finish: () -> Void = {}

    init(_ table: PieceTable, models: [Model], trainers count: Int) {
        highest = table.highest
        trainers = max(table.trainers, 1)
        pieces = table.entries
        passed = [Bool](repeating: false, count: count)
        var rows = models.map { $0.groups.map { _ in [Int32]() } }
        var lists = [[Int]](repeating: [], count: 3), replay: [Int: Int] = [:], globals: [Int: Int] = [:]
        for (number, entry) in table.entries.enumerated() {
            switch entry.kind {
            case .lists, .userAttributes, .itemAttributes: lists[Int(entry.kind.rawValue)].append(number)
            case .replay: replay[Int(entry.range.lowerBound)] = number
            case .globals: globals[Int(entry.model)] = number
            case .rows: rows[Int(entry.model)][Int(entry.group)] += entry.range.map { _ in Int32(number) }
            }
        }
        let marks = PieceMarks(table.entries, trainers: trainers)
        self.marks = marks
        let held = rows.map { $0.map { HeldRows($0, marks) } }
        self.held = held
        whole = models.enumerated().map { number, model in HeldWhole(model, number, table, marks) }
        lastLists = marks.bounds(lists[Int(PieceTable.Kind.lists.rawValue)]).any
        let groups = models.map(RowGroups.init)
        self.groups = groups
        runs = models.indices.map { HeldRun(models[$0], users: held[$0][groups[$0].users], items: held[$0][groups[$0].items]) }
        stores = models.map { model in model.groups.indices.map { model.stores(of: $0).map(\.store) } }
        listPieces = lists
        replayPieces = replay
        globalPieces = globals
    }

    deinit {
        for model in held { for group in model { group.deallocate() } }
        marks.deallocate()
    }

    /// Whether the stream has not passed the window yet.
    var isOpen: Bool { open.load(ordering: .acquiring) }

    /// Runs `body` as the only one, unless the window has ended meanwhile: then nil.
    func alone<Value>(_ body: () -> Value) -> Value? {
        while taken.exchange(true, ordering: .acquiring) { fk_yield() }
        defer { taken.store(false, ordering: .releasing) }
        return isOpen ? body() : nil
    }

    /// A trainer has applied everything up to `position`. When all are past the window, it ends. Within `alone`.
    func pass(_ trainer: Int, at position: UInt64) {
        guard position >= highest, !passed[trainer] else { return }
        passed[trainer] = true
        if passed.allSatisfy(\.self) { end() }
    }

    /// Ends the window wherever the stream is. Within `alone`.
    func end() {
        finish()
        open.store(false, ordering: .releasing)
    }

    // MARK: What a piece holds

    /// Whether a row has its part of the event at `position`, whose user (or entity) lies in `shard`.
    func hasRow(_ model: Int, _ group: Int, _ ordinal: UInt32, shard: Int, _ position: UInt64) -> Bool {
        held[model][group].has(ordinal, shard: shard, position)
    }

    /// Whether all that a model has holds an event: there is nothing to learn.
    func hasAll(_ model: Int, _ record: UnsafePointer<TrainingRecord>) -> Bool { whole[model].holds(record, trainers: trainers) }

    private func hasList(_ kind: PieceTable.Kind, _ ordinal: UInt32, _ position: UInt64) -> Bool {
        let list = listPieces[Int(kind.rawValue)]
        var low = 0, high = list.count
        while low < high {
            let middle = (low + high) / 2
            if pieces[list[middle]].range.upperBound <= ordinal { low = middle + 1 } else { high = middle }
        }
        guard low < list.count else { return false }
        return marks.holds(list[low], shard: Placement.shard(ordinal), position)
    }

    /// Whether a user's history and seen set have the event.
    func hasLists(_ user: UInt32, _ position: UInt64) -> Bool {
        position <= lastLists[Placement.shard(user) % trainers] && hasList(.lists, user, position)
    }
    /// Whether an entity's attribute list has the upsert.
    func hasAttributes(ofUser: Bool, _ entity: UInt32, _ position: UInt64) -> Bool {
        hasList(ofUser ? .userAttributes : .itemAttributes, entity, position)
    }
    /// Whether a shard of the reservoir has the event.
    func hasReplay(_ shard: Int, _ position: UInt64) -> Bool { replayPieces[shard].map { marks.holds($0, shard: shard, position) } ?? false }
    /// Whether a model's globals have the event of a user in `shard`.
    func hasGlobals(_ model: Int, shard: Int, _ position: UInt64) -> Bool {
        globalPieces[model].map { marks.holds($0, shard: shard, position) } ?? false
    }

    // MARK: The sequencer

    /// Gives an ordinal its rows by `makeReady`, but leaves those that were captured after that had happened.
    /// - Parameter before: the last position given out before the ordinal was.
    func keeping(_ ordinal: UInt32, _ side: RowSide, before position: UInt64, _ models: [Model], _ makeReady: () -> Void) {
        let done: Void? = alone {
            saver.begin()
            for (number, model) in models.enumerated() {
                for (group, entry) in model.groups.enumerated() where entry.side == "\(side)" {
                    guard let piece = held[number][group].piece(of: ordinal), position < pieces[piece].sequenced else { continue }
                    saver.save(stores[number][group], ordinal, model.kernels)
                }
            }
            makeReady()
            saver.putBack()
            if side == .items { for model in models { model.items.copy?.touch(ordinal) } }
        }
        if done == nil { makeReady() }
    }
}

/// The numbers of a model's groups of rows.
struct RowGroups {
    let users: Int
    let items: Int
    let contexts: Int
    let histories: Int?
    let userAttributes: Int
    let itemAttributes: Int

    init(_ model: Model) {
        let names = model.groups.map(\.name)
        users = names.firstIndex(of: "users")!
        items = names.firstIndex(of: "items")!
        contexts = names.firstIndex(of: "contexts")!
        histories = names.firstIndex(of: "histories")
        userAttributes = names.firstIndex(of: "attributes/users")!
        itemAttributes = names.firstIndex(of: "attributes/items")!
    }
}

/// Rows put aside while something else is done to them.
final class RowSaver {
    private var saved: [(address: UnsafeMutablePointer<Float>, start: Int, count: Int)] = []
    private var floats: [Float] = []
    private var kernels = Kernels.best

    func begin() {
        saved.removeAll(keepingCapacity: true)
        floats.removeAll(keepingCapacity: true)
    }

    func save(_ stores: [SlabStore], _ ordinal: UInt32, _ kernels: Kernels) {
        self.kernels = kernels
        for store in stores {
            let address = store.address(ordinal).assumingMemoryBound(to: Float.self), count = store.rowBytes / 4, start = floats.count
            floats.append(contentsOf: repeatElement(0, count: count))
            floats.withUnsafeMutableBufferPointer { kernels.copy($0.baseAddress! + start, address, count) }
            saved.append((address, start, count))
        }
    }

    /// Puts everything back, the last saved first.
    func putBack() {
        floats.withUnsafeMutableBufferPointer { floats in
            for row in saved.reversed() { kernels.copy(row.address, floats.baseAddress! + row.start, row.count) }
        }
        begin()
    }
}
