import CKernels
import Foundation

@testable import Factorization

extension ReferenceRow {
    /// A block of a model's parameters, without its padding.
    init(_ parameters: Parameters, _ index: Int, rank: Int) {
        let block = parameters.blocks[index], width = KindLayout.padded(rank)
        let places = (0..<block.count).filter { $0 % width < rank }
        v = places.map { Double(parameters.floats(index)[$0]) }
        accumulators = places.map { Double(parameters.accumulators(index)[$0]) }
        factorAccumulator = Double(parameters.state(index).pointee.factor_accumulator)
    }
}

/// One event of any kind in double precision: the score from the kind's definition, the gradient by central differences of
/// the loss, the steps by the optimiser's formula.
struct DefinedEvent {
    let settings: ModelSettings
    /// The user's side, the user first.
    var rows: [ReferenceRow]
    let x: [Double]
    let groups: [SideRow.Group]
    let fields: [Int]
    var items: [UInt32: ReferenceRow]
    /// The items' attributes, and the rows of all of these.
    let lists: [UInt32: [ResolvedFeature]]
    var attributes: [UInt32: ReferenceRow]
    var parameters: [ReferenceRow]
    var bias: Double
    private var biasAccumulator: Double
    private let layout: KindLayout

    /// - Parameter history: the newest items to take; nil for the user's of this moment.
    init(
        _ engine: Engine, user: UInt32, context: [(ordinal: UInt32, weight: Float, name: String)], items: [UInt32],
        history: [UInt32]? = nil
    ) {
        engine.settleGlobalBias()
        let model = engine.models[0], settings = model.settings
        self.settings = settings
        layout = model.layout
        let newest = history ?? DefinedEvent.history(engine, user: user)
        let powers = newest.indices.map { pow(Double(settings.history.decay), Double($0)) }
        let scale = 1 / powers.reduce(0, +).squareRoot()
        let own = engine.attributes(user: user)
        rows = [ReferenceRow(model.users, user)] + own.map { ReferenceRow(model.userAttributes, $0.ordinal) } + newest.map { ReferenceRow(model.histories!, $0) }
            + context.map { ReferenceRow(model.contexts, $0.ordinal) }
        x = [1] + own.map { Double($0.weight) } + powers.map { $0 * scale } + context.map { Double($0.weight) }
        groups = [.user] + own.map { _ in .attribute } + newest.map { _ in .history } + context.map { _ in .context }
        fields = [0] + own.map { _ in FieldAwareMachine.otherField(settings) } + newest.map { _ in 1 } + context.map { FieldAwareMachine.contextField(Array($0.name.utf8), settings) }
        let lists = Dictionary(items.map { ($0, engine.attributes(item: $0)) }, uniquingKeysWith: { a, _ in a })
        self.lists = lists
        // Only an item with attributes has a use for the tail of its row.
        self.items = Dictionary(
            lists.map { ($0.key, ReferenceRow(model.items, $0.key, withTail: !$0.value.isEmpty)) }, uniquingKeysWith: { a, _ in a })
        attributes = Dictionary(
            lists.values.joined().map { ($0.ordinal, ReferenceRow(model.itemAttributes, $0.ordinal, withTail: true)) },
            uniquingKeysWith: { a, _ in a })
        parameters = (0..<layout.parameters.count).map { ReferenceRow(model.parameters!, $0, rank: settings.rank) }
        bias = Double(model.globalState.bias)
        biasAccumulator = Double(model.globalState.accumulator)
    }

    /// The items that the model takes as the user's history now, newest first.
    static func history(_ engine: Engine, user: UInt32) -> [UInt32] {
        let length = engine.models[0].settings.history.length
        guard length > 0 else { return [] }
        var items = [UInt32](repeating: 0, count: length)
        let count = items.withUnsafeMutableBufferPointer { engine.shared.userItems.history(of: user, into: $0) }
        return Array(items[..<count])
    }

    func score(_ item: UInt32) -> Double {
        let row = items[item]!, field = FieldAwareMachine.fieldCount(settings) - 1
        var features = rows.indices.map { DefinedFeature(field: fields[$0], x: x[$0], v: rows[$0].v) }
        features.append(DefinedFeature(field: field, isItemSide: true, x: 1, v: row.v))
        var linear = rows.indices.reduce(bias + row.w) { $0 + x[$1] * rows[$1].w }
        for feature in lists[item]! {
            let row = attributes[feature.ordinal]!
            features.append(DefinedFeature(field: field, isItemSide: true, x: Double(feature.weight), v: row.v))
            linear += Double(feature.weight) * row.w
        }
        return linear + definedInteractions(settings, features, parameters.map(\.v))
    }

    /// One step of a pass: an item with its label, or a pair with a weight.
    enum Unit {
        case item(UInt32, label: Double)
        case pair(UInt32, UInt32, weight: Double)
        var items: [UInt32] {
            switch self {
            case .item(let item, _): [item]
            case .pair(let positive, let negative, _): [positive, negative]
            }
        }
    }

    func loss(_ unit: Unit) -> Double {
        switch unit {
        case .item(let item, let y):
            let s = score(item)
            return settings.loss == .squared ? (s - y) * (s - y) / 2 : log(1 + exp(s)) - y * s
        case .pair(let positive, let negative, let weight):
            let d = score(positive) - score(negative)
            return settings.loss == .bpr ? log(1 + exp(-d)) : weight * max(0, 1 - d)
        }
    }

    /// ∂loss/∂value by central differences.
    private func slope(_ path: WritableKeyPath<DefinedEvent, Double>, _ unit: Unit) -> Double {
        let h = 1e-5
        var up = self, down = self
        up[keyPath: path] += h
        down[keyPath: path] -= h
        let slope = (up.loss(unit) - down.loss(unit)) / (2 * h)
        // Rounding leaves about 1e-11 of a slope that is 0, which AdaGrad's first step would make a whole one.
        return abs(slope) < 1e-9 ? 0 : slope
    }

    private func slopes(_ row: WritableKeyPath<DefinedEvent, ReferenceRow>, _ unit: Unit, times weight: Double) -> [Double] {
        self[keyPath: row].v.indices.map { f in
            let path: WritableKeyPath<DefinedEvent, Double> = row.appending(path: \.v[f])
            return weight * slope(path, unit)
        }
    }

    /// The pass that a model makes of an event: item after item, or pair after pair, each from what the last has left; the
    /// rows of the side and the parameters then take what was gathered, unless the user's row is the side and moves along.
    mutating func step(_ pass: [(item: UInt32, label: Double)], catalogue: Int, weight: Double) {
        // With attributes of the user the side is a sum.
        let moves = layout.userRowIsQuery && settings.history.length == 0 && rows.count == 1
        var gathered = rows.map { $0.v.map { _ in 0.0 } }, common = parameters.map { $0.v.map { _ in 0.0 } }
        var weightsGathered = rows.map { _ in 0.0 }, error = 0.0, steps = 0
        for place in (settings.loss.isPairwise ? 1 : 0)..<pass.count {
            guard let unit = unit(pass, place, catalogue: catalogue) else { continue }
            steps += 1
            let side = rows.indices.map { slopes(\.rows[$0], unit, times: weight) }
            for a in rows.indices { weightsGathered[a] += weight * slope(\.rows[a].w, unit) }
            for (index, _) in parameters.enumerated() {
                let slopes = slopes(\.parameters[index], unit, times: weight)
                for f in slopes.indices { common[index][f] += slopes[f] }
            }
            error += weight * slope(\.bias, unit)
            stepItems(unit, weight)
            for a in rows.indices where !moves { for f in side[a].indices { gathered[a][f] += side[a][f] } }
            if moves { stepFactors(0, side[0]) }
            if settings.loss == .warp { break }
        }
        // Without a violation of the margin there is nothing to learn.
        if steps == 0 { return }
        stepSide(moves ? nil : gathered, weightsGathered)
        for index in parameters.indices { parameters[index].stepFactors(common[index], rate: settings.globalRate, settings.optimizer) }
        var scale = 1.0
        if settings.optimizer != .sgd {
            biasAccumulator += error * error
            scale = biasAccumulator.squareRoot() + 1e-12
        }
        bias -= Double(settings.globalRate) * error / scale
    }

    private func unit(_ pass: [(item: UInt32, label: Double)], _ place: Int, catalogue: Int) -> Unit? {
        guard settings.loss.isPairwise else { return .item(pass[place].item, label: pass[place].label) }
        let positive = pass[0].item, negative = pass[place].item
        guard settings.loss == .warp else { return .pair(positive, negative, weight: 1) }
        guard score(positive) - score(negative) < 1 else { return nil }
        let others = Double(catalogue - 1)
        return .pair(positive, negative, weight: log(1 + (others / Double(place)).rounded(.down)) / log(1 + others))
    }

    /// Steps the items of a unit and their attributes, each row once and all from the values before.
    private mutating func stepItems(_ unit: Unit, _ weight: Double) {
        let before = self
        for item in unit.items {
            step(\.items[item]!, before, unit, weight, rate: settings.rates.item, l2: settings.l2.item)
        }
        for attribute in Set(unit.items.flatMap { lists[$0]!.map(\.ordinal) }) {
            step(\.attributes[attribute]!, before, unit, weight, rate: settings.rates.attribute, l2: settings.l2.attribute)
        }
    }

    private mutating func step(
        _ path: WritableKeyPath<DefinedEvent, ReferenceRow>, _ before: DefinedEvent, _ unit: Unit, _ weight: Double, rate: Float, l2: Float
    ) {
        let row = before[keyPath: path]
        let gradient = zip(before.slopes(path, unit, times: weight), row.v).map { $0 + Double(l2) * $1 }
        self[keyPath: path].stepFactors(gradient, rate: rate, settings.optimizer)
        guard layout.hasWeights else { return }
        let slope = weight * before.slope(path.appending(path: \.w), unit) + Double(settings.l2.weight) * row.w
        self[keyPath: path].stepWeight(slope, rate: settings.rates.weight, settings.optimizer)
    }

    private mutating func stepFactors(_ a: Int, _ gradient: [Double]) {
        let (rate, l2) =
            switch groups[a] {
            case .user: (settings.rates.user, settings.l2.user)
            case .context: (settings.rates.context, settings.l2.context)
            case .history: (settings.rates.history, settings.l2.history)
            case .attribute: (settings.rates.attribute, settings.l2.attribute)
            }
        rows[a].stepFactors(zip(gradient, rows[a].v).map { $0 + Double(l2) * $1 }, rate: rate, settings.optimizer)
    }

    private mutating func stepSide(_ gradients: [[Double]]?, _ weights: [Double]) {
        for a in rows.indices {
            if let gradients { stepFactors(a, gradients[a]) }
            guard layout.hasWeights && groups[a] != .history else { continue }
            rows[a].stepWeight(weights[a] + Double(settings.l2.weight) * rows[a].w, rate: settings.rates.weight, settings.optimizer)
        }
    }
}
