import CKernels
import Synchronization

/// One factorisation machine: its rows by group and its global bias.
///
/// Thread safety: rows as `FactorTable` says. The bias is one atomic word; with one trainer it is exact, with several an
/// addition is a compare-and-swap.
public final class Model: Sendable {
    /// As the model was made. Rates and strengths may have changed since: see `pace`.
    public let settings: ModelSettings
    private let livePace: LearningPace
    let users: FactorTable
    let items: FactorTable
    let contexts: FactorTable
    /// Rows of items as history context; nil where the model takes none.
    let histories: FactorTable?
    /// Rows of attributes, by the ordinals of `attributes`.
    let userAttributes: FactorTable
    let itemAttributes: FactorTable
    /// Who has which attributes; shared by all models.
    let attributes: EntityAttributes
    /// Gram matrices of a model with the interaction regulariser; nil for the others.
    let grams: GramState?
    /// How rows fade.
    let halfLife: HalfLife
    let kernels: Kernels
    /// What a step leaves of an accumulator.
    let accumulatorKeep: Float
    /// Sizes that the kind asks for.
    let layout: KindLayout
    /// The kind's global parameters, where it has any.
    let parameters: Parameters?
    /// `hofm`: ranks by order; empty for other kinds.
    let orderRanks: [Int]
    /// `ffm`: the field of each context feature (u32). Written by the sequencer before the feature is published.
    private let contextFields: SlabStore?
    /// s of a history of n items, for n up to its length.
    let historyScales: [Float]
    /// What trainers write of w0 all the time: away from what they read.
    nonisolated(unsafe) let global = GlobalWords.allocate()

    init(settings: ModelSettings, kernels: Kernels, attributes: EntityAttributes) {
        precondition(ModelSettings.ranks.contains(settings.rank), "the rank is 1 to 512")
        precondition((0...ModelSettings.mostNegatives).contains(settings.negatives), "negatives are 0 to 256")
        precondition(ModelSettings.orders.contains(settings.order), "the order is 3 to 5")
        precondition(settings.ranks.isEmpty || settings.ranks.count == settings.order - 1, "one rank for each order from 2 on")
        precondition(settings.ranks.allSatisfy(ModelSettings.ranks.contains), "the rank of an order is 1 to 512")
        precondition(settings.fields.count <= ModelSettings.mostFields, "fields are at most 16")
        precondition(settings.rowLength <= ModelSettings.longestRow, "a row has at most 2048 floats")
        precondition(
            settings.unobserved == .sampled || Kinds.layout(settings).userRowIsQuery,
            "a model without sampled negatives is of a kind whose query is the sum of the side's rows")
        precondition(
            settings.storage == .float32 || !settings.isInteracting && settings.halfLife == 0,
            "rows of bfloat16 go neither with the interaction regulariser nor with a half-life")
        self.settings = settings
        livePace = LearningPace(settings.pace)
        self.kernels = kernels
        self.attributes = attributes
        halfLife = HalfLife(events: settings.halfLife)
        let layout = Kinds.layout(settings)
        self.layout = layout
        accumulatorKeep = settings.optimizer == .sgd ? 1 : settings.steps.keep
        parameters = layout.parameters.isEmpty ? nil : Parameters(layout.parameters)
        orderRanks = settings.kind == .hofm ? HigherOrderMachine.ranks(settings) : []
        contextFields = settings.kind == .ffm ? SlabStore(rowBytes: 4) : nil
        let ftrl = settings.weightFtrl
        func table(
            _ group: UInt64, rank: Int, tail: Int = 0, hasWeights: Bool = true, stamped: Bool = settings.halfLife > 0, copied: Bool = false
        ) -> FactorTable {
            FactorTable(
                rank: rank, tail: tail, storage: settings.storage, perCoordinate: settings.optimizer == .adagradCoordinate, ftrl: hasWeights ? ftrl : nil,
                seed: mix64(settings.seed &+ group), deviation: settings.deviation, stamped: stamped, copiedBy: copied ? kernels : nil)
        }
        users = table(1, rank: layout.sideRank, stamped: settings.halfLife > 0 || settings.refolding.after > 0)
        items = table(2, rank: layout.itemRank, tail: layout.itemOwnRank, copied: true)
        contexts = table(3, rank: layout.sideRank)
        histories = settings.history.length > 0 ? table(4, rank: layout.sideRank, hasWeights: false) : nil
        userAttributes = table(5, rank: layout.sideRank)
        itemAttributes = table(6, rank: layout.itemRank, tail: layout.itemOwnRank)
        grams = settings.isInteracting ? GramState(width: items.width) : nil
        var sums: [Float] = [0]
        for place in 0..<settings.history.length { sums.append(sums[place] + Float.power(settings.history.decay, place)) }
        historyScales = sums.map { $0 > 0 ? 1 / $0.squareRoot() : 0 }
    }

    deinit { global.deallocate() }

    /// Floats of an item's row and of the query that every item uses, with padding.
    var width: Int { items.width }

    /// The groups by name, and the side whose ordinals number their rows: what a snapshot holds.
    var groups: [(name: String, side: String, table: FactorTable)] {
        [("users", "users", users), ("items", "items", items), ("contexts", "contexts", contexts)]
            + (histories.map { [("histories", "items", $0)] } ?? [])
            + [("attributes/users", "userAttributes", userAttributes), ("attributes/items", "itemAttributes", itemAttributes)]
    }

    /// Everything that is a row for each ordinal of a side, with its name: what a snapshot holds.
    var stores: [(name: String, side: String, store: SlabStore)] {
        groups.flatMap { group in group.table.stores.map { ("\(group.name)/\($0.name)", group.side, $0.store) } }
            + (grams.map { [(Model.settledStore, "items", $0.settled)] } ?? [])
    }

    /// Name of the store that only a model with the interaction regulariser has.
    static let settledStore = "items/\(settledName)"
    static let settledName = "settled"

    /// Bytes of rows, optimiser state and matrices.
    public var bytes: Int {
        stores.reduce((parameters?.count ?? 0) * 8 + (grams?.bytes ?? 0) + (contextFields?.mappedBytes ?? 0) + (items.copy?.bytes ?? 0)) {
            $0 + $1.store.mappedBytes
        }
    }

    /// What a new context feature needs.
    /// - Parameter fieldName: the name of its field.
    func makeContextReady(_ ordinal: UInt32, fieldName: @autoclosure () -> [UInt8]) {
        contexts.makeReady(ordinal)
        guard let contextFields else { return }
        contextFields.ensure(ordinal)
        contextFields.address(ordinal).storeBytes(
            of: UInt32(FieldAwareMachine.contextField(fieldName(), settings)), as: UInt32.self)
    }

    /// `ffm`: the field of a context feature.
    @inline(__always)
    func contextField(_ ordinal: UInt32) -> Int {
        Int(contextFields.unsafelyUnwrapped.address(ordinal).load(as: UInt32.self))
    }

    /// What a new item of the catalogue needs.
    func makeItemReady(_ ordinal: UInt32) {
        items.makeReady(ordinal)
        histories?.makeReady(ordinal)
        grams?.makeReady(ordinal)
    }

    /// What an item needs that is known by its attributes before anybody touched it: its own row starts at zero, so that
    /// the attributes alone speak for it.
    func makeDescribedItemReady(_ ordinal: UInt32) {
        makeItemReady(ordinal)
        items.clear(ordinal)
    }
    /// The same for a user.
    func makeDescribedUserReady(_ ordinal: UInt32) {
        users.makeReady(ordinal)
        users.clear(ordinal)
    }

    /// The table of a row of the user's side.
    func table(_ group: SideRow.Group) -> FactorTable {
        switch group {
        case .user: users
        case .context: contexts
        case .history: histories!
        case .attribute: userAttributes
        }
    }

    /// Learning rates and strengths of l2 as they are now.
    @inline(__always)
    var pace: LearningPace.Values { livePace.values }

    /// Learns with others from here on. For `Engine.adopt`.
    func adopt(_ pace: LearningPace.Values) { livePace.replace(pace) }

    /// Step settings as the kernels take them.
    var kernelSettings: fk_settings {
        let rates = pace.rates, l2 = pace.l2, weightRate = layout.hasWeights ? rates.weight : 0
        return fk_settings(
            item: fk_side(rate: rates.item, l2: l2.item, weight_rate: weightRate, weight_l2: l2.weight),
            query: fk_side(rate: rates.user, l2: l2.user, weight_rate: weightRate, weight_l2: l2.weight),
            loss: {
                switch settings.loss {
                case .logistic: CInt(fk_loss_logistic)
                case .squared: CInt(fk_loss_squared)
                case .bpr: CInt(fk_loss_bpr)
                case .warp: CInt(fk_loss_warp)
                }
            }(),
            optimizer: {
                switch settings.optimizer {
                case .sgd: CInt(fk_optimizer_sgd)
                case .adagrad: CInt(fk_optimizer_adagrad_row)
                case .adagradCoordinate: CInt(fk_optimizer_adagrad_coordinate)
                }
            }(),
            inverse_rank: 1 / Float(layout.itemRank), error_cap: settings.errorCap,
            norm_cap: settings.normCap * settings.normCap, options: kernelOptions)
    }
}
