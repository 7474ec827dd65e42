import CKernels

/// A row of the user's side of an event: what its feature is worth there and where its floats lie.
struct SideRow {
    enum Group: UInt8 { case user, context, history, attribute }
    var group: Group
    /// Ordinal in the group's table.
    var ordinal: UInt32
    /// x of the feature.
    var x: Float
    var factors: UnsafeMutablePointer<Float>
    var accumulators: UnsafeMutablePointer<Float>?
    var state: UnsafeMutablePointer<fk_row_state>
    var linear: fk_linear
}

/// A row of the user's side that lies in no table.
struct StrayRow {
    let factors: UnsafeMutablePointer<Float>
    let state: UnsafeMutablePointer<fk_row_state>
}

/// The user's side of a score (user, attributes, history, context), folded once: score(item) = constant + w_item + ⟨query, z_item⟩.
///
/// Scratch of one learner or one scorer; reads rows, writes none.
final class UserSide {
    let model: Model
    /// The rows that take part; the user's first, where there is one.
    let rows: UnsafeMutablePointer<SideRow>
    private(set) var rowCount = 0
    /// The folded vector: as wide as an item's row, and behind it what only items with attributes use.
    let query: UnsafeMutablePointer<Float>
    /// The kind's own, as its layout asks; from `fold` to `backPropagate`.
    let scratch: UnsafeMutablePointer<Float>
    /// Whether any item has attributes now; what is for them alone is left out elsewhere. Set by `fold`.
    private(set) var meetsAttributes = false
    /// As long as the model's parameters; zero at the start of a pass.
    let parameterGradient: UnsafeMutablePointer<Float>
    private let history: UnsafeMutableBufferPointer<UInt32>

    /// Where rows lie as floats while their tables hold them otherwise.
    private let bench: RowBench?
    private let ownsBench: Bool
    /// For the bench, the rows of each group and their length with the tail: plain words, so that no row counts references.
    private let places: UnsafeMutablePointer<(rows: FactorRows, stride: Int)>

    static let rowLimit = Sequencer.featureLimit + ModelSettings.History.longest + AttributeLists.longest + 1

    /// - Parameter bench: the learner's; a scorer's side has one of its own.
    init(model: Model, bench: RowBench? = nil) {
        self.model = model
        self.bench = bench ?? RowBench(model)
        ownsBench = bench == nil
        places = .allocate(capacity: 4)
        for group in [SideRow.Group.user, .context, .history, .attribute] {
            let table = group == .history ? model.histories ?? model.users : model.table(group)
            (places + Int(group.rawValue)).initialize(to: (table.rows, table.stride))
        }
        rows = .allocate(capacity: UserSide.rowLimit)
        query = Parameters.floats(model.layout.queryWidth)
        scratch = Parameters.floats(model.layout.scratch)
        parameterGradient = Parameters.floats(model.parameters?.count ?? 0)
        history = .allocate(capacity: max(model.settings.history.length, 1))
    }

    deinit {
        rows.deallocate()
        places.deallocate()
        query.deallocate()
        scratch.deallocate()
        parameterGradient.deallocate()
        history.deallocate()
    }

    /// Starts a side: the user's row, unless the user is `Placement.none`, and the user's attributes and history.
    @inline(__always)
    func start(user: UInt32, userItems: UserItems) {
        rowCount = 0
        if ownsBench { bench?.clear() }
        guard user != Placement.none else { return }
        append(.user, 1, model.users, user)
        if model.attributes.users.has(user), let list = model.attributes.users[user] {
            for index in 0..<list.count { append(.attribute, list[index].weight, model.userAttributes, list[index].ordinal) }
        }
        guard let table = model.histories else { return }
        let count = userItems.history(of: user, into: history)
        append(history: UnsafeBufferPointer(rebasing: history[..<count]), of: table)
    }

    /// Starts the side of somebody without a row: `row` in its place, where there is one, then attributes, and the newest of
    /// `items` as history (oldest first).
    func start(_ attributes: [(ordinal: UInt32, weight: Float)], items: ArraySlice<Visitor.Item>, row: StrayRow?) {
        rowCount = 0
        if ownsBench { bench?.clear() }
        if let row {
            rows.initialize(
                to: SideRow(
                    group: .user, ordinal: Placement.none, x: 1, factors: row.factors, accumulators: nil, state: row.state, linear: fk_linear()))
            rowCount = 1
        }
        for attribute in attributes.prefix(AttributeLists.longest) { append(.attribute, attribute.weight, model.userAttributes, attribute.ordinal) }
        guard let table = model.histories else { return }
        let newest = items.suffix(model.settings.history.length)
        for (place, item) in newest.reversed().enumerated() { history[place] = item.ordinal }
        append(history: UnsafeBufferPointer(rebasing: history[..<newest.count]), of: table)
    }

    /// Adds items as history, newest first.
    private func append(history items: UnsafeBufferPointer<UInt32>, of table: FactorTable) {
        var x = model.historyScales[items.count]
        for item in items {
            append(.history, x, table, item)
            x *= model.settings.history.decay
        }
    }

    /// Takes an item out of the history: a past interaction that is learned again must not be told by itself.
    func leaveOut(history item: UInt32) {
        var kept = 0
        for index in 0..<rowCount where rows[index].group != .history || rows[index].ordinal != item {
            rows[kept] = rows[index]
            kept += 1
        }
        rowCount = kept
    }

    /// Adds a context feature.
    @inline(__always)
    func append(_ feature: ResolvedFeature) {
        guard rowCount < UserSide.rowLimit else { return }
        append(.context, feature.weight, model.contexts, feature.ordinal)
    }

    @inline(__always)
    private func append(_ group: SideRow.Group, _ x: Float, _ table: FactorTable, _ ordinal: UInt32) {
        (rows + rowCount).initialize(
            to: SideRow(
                group: group, ordinal: ordinal, x: x, factors: table.rows.place(ordinal), accumulators: table.accumulators(ordinal),
                state: table.state(ordinal), linear: table.linear(ordinal)))
        rowCount += 1
    }

    /// Fills `query`; answers the constant, w0 included.
    func fold() -> Float {
        if let bench { layOut(bench) }
        meetsAttributes = !model.attributes.items.isEmpty
        query.update(repeating: 0, count: model.width)
        var constant = model.bias
        for index in 0..<rowCount { constant += rows[index].x * fk_read_state(rows[index].state).weight }
        return constant + Kinds.fold(self)
    }

    /// Lays the rows on a bench; not what stands in a row's place as floats already (`replaceUser`).
    @inline(never)
    private func layOut(_ bench: RowBench) {
        for index in 0..<rowCount {
            let ordinal = rows[index].ordinal, place = places + Int(rows[index].group.rawValue)
            guard ordinal != Placement.none, rows[index].factors == place.pointee.rows.place(ordinal) else { continue }
            rows[index].factors = bench.row(ordinal, place.pointee.rows, count: place.pointee.stride)
        }
    }
}

extension ModelSettings.Groups {
    /// The number of a group of the user's side.
    @inline(__always)
    subscript(group: SideRow.Group) -> Float {
        switch group {
        case .user: user
        case .context: context
        case .history: history
        case .attribute: attribute
        }
    }
}
