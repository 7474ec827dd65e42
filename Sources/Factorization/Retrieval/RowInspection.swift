import CKernels

/// What is held of one id: for people who want to know why.
public struct RowInspection: Sendable {
    /// Whose row.
    public enum Subject: String, Sendable, CaseIterable {
        case user, item, context
        case userAttribute = "user_attribute"
        case itemAttribute = "item_attribute"
    }

    /// One row of a model.
    public struct Row: Sendable {
        /// `own`, or `history`: an item as context of its users.
        public var name: String
        /// Without padding; the tail of an item's row (`ffm`) included.
        public var factors: [Float]
        /// Of the factors.
        public var norm: Float
        public var weight: Float
        /// Steps taken.
        public var updates: UInt32
        /// AdaGrad's and ftrl's sums of squared gradients: of the weight, of the row's factors, of each factor by itself.
        public var weightAccumulator: Float
        public var factorAccumulator: Float
        public var accumulators: [Float]
        /// ftrl's sum of gradients, where the weight is ftrl's.
        public var gradientSum: Float?
        /// Where rows bear stamps: about the position at which the row was last touched, to the model's resolution.
        public var touched: UInt64?
    }

    public var ordinal: UInt32
    public var shard: Int
    public var rows: [Row]
    /// Interactions counted, fading; of context values, only where the tables have a budget.
    public var popularity: Float
    public var isHidden: Bool
    /// Position at which an item came, where it is among the last that did; 0 where that is not known.
    public var admitted: UInt64?
    /// Of a user: items held in order, items seen, and whether the seen set is complete.
    public var history: (held: Int, seen: Int, isSeenComplete: Bool)?
    /// Of a user or an item: (ordinal, x).
    public var attributes: [(ordinal: UInt32, weight: Float)]
}

/// A model's size.
public struct ModelInspection: Sendable {
    /// Numbers that are learned: rows in use, global parameters, w0.
    public var parameters: Int
    /// 1 + n_u + n_i + n_u n_i: coefficients of the model with one for each pair of user and item.
    public var saturated: Double
    public var users: Int
    public var items: Int
}

extension Scorer {
    /// What is held of an id. Inside `reading`.
    /// - Parameter ordinal: one that is known to the subject's table.
    public func inspect(model number: Int = 0, _ subject: RowInspection.Subject, _ ordinal: UInt32) -> RowInspection {
        let model = engine.models[number], shared = engine.shared
        var rows: [RowInspection.Row] = [], history: (Int, Int, Bool)?, list: AttributeList?, admitted: UInt64?
        func add(_ name: String, _ table: FactorTable) { rows.append(inspect(name, table, ordinal, model)) }
        let ids: EntityTable
        switch subject {
        case .user:
            ids = engine.users
            add("own", model.users)
            let held = shared.userItems.blocks(of: ordinal).history?.items.count ?? 0
            var seen = 0
            let isComplete = shared.userItems.forEachSeen(by: ordinal) { _ in seen += 1 }
            history = (min(held, shared.userItems.historyLength), seen, isComplete)
            list = model.attributes.users.has(ordinal) ? model.attributes.users[ordinal] : nil
        case .item:
            ids = engine.items
            add("own", model.items)
            if let histories = model.histories { add("history", histories) }
            list = ItemSide.attributes(model, ordinal)
            shared.recent.forEachNewest { if $0 == ordinal { admitted = admitted ?? $1 } }
        case .context:
            ids = engine.contexts
            add("own", model.contexts)
        case .userAttribute:
            ids = engine.userAttributes
            add("own", model.userAttributes)
        case .itemAttribute:
            ids = engine.itemAttributes
            add("own", model.itemAttributes)
        }
        return RowInspection(
            ordinal: ordinal, shard: Placement.shard(ordinal), rows: rows, popularity: ids.frequency(ordinal), isHidden: ids.isHidden(ordinal),
            admitted: admitted, history: history, attributes: list.map { list in (0..<list.count).map { (list[$0].ordinal, list[$0].weight) } } ?? [])
    }

    private func inspect(_ name: String, _ table: FactorTable, _ ordinal: UInt32, _ model: Model) -> RowInspection.Row {
        let places = Array(0..<table.rank) + Array(table.width..<table.width + table.tail), state = fk_read_state(table.state(ordinal))
        let factors = table.withCopy(ordinal, model.kernels) { copy in places.map { copy[$0] } }
        var accumulators: [Float] = [], sum: Float?
        if let held = table.accumulators(ordinal) {
            withUnsafeTemporaryAllocation(of: Float.self, capacity: table.stride) { copy in
                model.kernels.copy(copy.baseAddress, held, table.stride)
                accumulators = places.map { copy[$0] }
            }
        }
        if let z = table.linear(ordinal).z {
            var value: Float = 0
            model.kernels.copy(&value, z, 1)
            sum = value
        }
        return RowInspection.Row(
            name: name, factors: factors, norm: factors.reduce(0) { $0 + $1 * $1 }.squareRoot(), weight: state.weight, updates: state.updates,
            weightAccumulator: state.weight_accumulator, factorAccumulator: state.factor_accumulator, accumulators: accumulators,
            gradientSum: sum, touched: table.stamps.map { $0[ordinal] })
    }

    /// How large a model is now.
    public func inspect(model number: Int) -> ModelInspection {
        let model = engine.models[number], users = engine.users.liveCount, items = engine.items.liveCount
        let sides = Dictionary(uniqueKeysWithValues: engine.sides.map { ($0.name, $0.table.liveCount) })
        let rows = model.groups.reduce(0) { sum, group in
            let weight = model.layout.hasWeights && model.settings.unobserved == .sampled && group.name != "histories" ? 1 : 0
            return sum + (sides[group.side] ?? 0) * (group.table.rank + group.table.tail + weight)
        }
        let global = model.layout.parameters.reduce(model.settings.unobserved == .sampled ? 1 : 0) { $0 + $1.used }
        return ModelInspection(
            parameters: rows + global, saturated: 1 + Double(users) + Double(items) + Double(users) * Double(items), users: users, items: items)
    }
}
