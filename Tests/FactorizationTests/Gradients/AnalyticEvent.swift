import Foundation

@testable import Factorization

/// A penalty that stands beside the loss of an event. To prove another regulariser: a case here, its settings, its value and
/// its gradient; the tests follow.
enum Regularizer: CaseIterable, Sendable {
    case none
    /// ½ λ ‖v‖² by group, ½ λ w².
    case l2
    /// λ₁ |w| + ½ λ₂ w² on linear weights. The product's weights do not follow its slope but minimise the sum of all that were
    /// (OptimizerStepTests).
    case ftrl

    /// Puts the product under this regulariser alone.
    func apply(to settings: inout ModelSettings) {
        switch self {
        case .none: settings.l2 = .init(user: 0, item: 0, context: 0, weight: 0)
        case .l2: settings.l2 = .init(user: 0.2, item: 0.3, context: 0.4, weight: 0.5, history: 0.1, attribute: 0.6)
        case .ftrl:
            Regularizer.l2.apply(to: &settings)
            settings.l2.weight = 0
            settings.steps.ftrl = OptimizerCase.ftrl
        }
    }

    /// Its value for the rows of an event.
    func penalty(_ event: DefinedEvent) -> Double {
        switch self {
        case .none: return 0
        case .l2:
            let l2 = event.settings.l2
            var sum = 0.0
            for (row, group) in zip(event.rows, event.groups) {
                sum += Double(l2.of(group)) / 2 * dot(row.v, row.v) + Double(l2.weight) / 2 * row.w * row.w
            }
            for row in event.items.values { sum += Double(l2.item) / 2 * dot(row.v, row.v) + Double(l2.weight) / 2 * row.w * row.w }
            return sum
        case .ftrl:
            let ftrl = OptimizerCase.ftrl
            return (event.rows + event.items.values).reduce(Regularizer.l2.penalty(event)) {
                $0 + Double(ftrl.l1) * abs($1.w) + Double(ftrl.l2) / 2 * $1.w * $1.w
            }
        }
    }

    /// Adds its gradient.
    func add(_ event: DefinedEvent, to gradient: inout EventGradient) {
        switch self {
        case .none: return
        case .l2:
            let l2 = event.settings.l2
            for (a, row) in event.rows.enumerated() { gradient.rows[a].add(row, Double(l2.of(event.groups[a])), Double(l2.weight)) }
            for (item, row) in event.items { gradient.items[item]!.add(row, Double(l2.item), Double(l2.weight)) }
        case .ftrl:
            Regularizer.l2.add(event, to: &gradient)
            func slope(_ w: Double) -> Double { Double(OptimizerCase.ftrl.l1) * (w < 0 ? -1 : w > 0 ? 1 : 0) + Double(OptimizerCase.ftrl.l2) * w }
            for (a, row) in event.rows.enumerated() { gradient.rows[a].w += slope(row.w) }
            for (item, row) in event.items { gradient.items[item]!.w += slope(row.w) }
        }
    }
}

extension ModelSettings.Groups {
    /// The figure of a row of the user's side.
    func of(_ group: SideRow.Group) -> Float {
        switch group {
        case .user: user
        case .context: context
        case .history: history
        case .attribute: attribute
        }
    }
}

/// A gradient by one row.
struct RowGradient {
    var v: [Double]
    var w = 0.0

    mutating func add(_ row: ReferenceRow, _ factors: Double, _ weight: Double) {
        for f in v.indices { v[f] += factors * row.v[f] }
        w += weight * row.w
    }
}

/// The gradient of an event's loss (and regulariser) by all that takes part.
struct EventGradient {
    var rows: [RowGradient]
    var items: [UInt32: RowGradient]
    var parameters: [[Double]]
    var bias = 0.0

    /// Of the loss of `unit`, in closed form. Away from warp's kink.
    init(_ event: DefinedEvent, _ unit: DefinedEvent.Unit, weight: Double = 1) {
        rows = event.rows.map { RowGradient(v: $0.v.map { _ in 0 }) }
        items = event.items.mapValues { RowGradient(v: $0.v.map { _ in 0 }) }
        parameters = event.parameters.map { $0.v.map { _ in 0 } }
        switch unit {
        case .item(let item, let y):
            let s = event.score(item)
            addScore(of: item, event, times: weight * (event.settings.loss == .squared ? s - y : 1 / (1 + exp(-s)) - y))
        case .pair(let positive, let negative, let importance):
            let d = event.score(positive) - event.score(negative)
            let e = event.settings.loss == .bpr ? -1 / (1 + exp(d)) : d < 1 ? -importance : 0
            addScore(of: positive, event, times: weight * e)
            addScore(of: negative, event, times: -weight * e)
        }
    }

    /// ∂score/∂w_a = x_a, ∂score/∂w0 = 1, and what the kind says.
    private mutating func addScore(of item: UInt32, _ event: DefinedEvent, times e: Double) {
        let settings = event.settings
        var features = event.rows.indices.map { DefinedFeature(field: event.fields[$0], x: event.x[$0], v: event.rows[$0].v) }
        features.append(DefinedFeature(field: FieldAwareMachine.fieldCount(settings) - 1, x: 1, v: event.items[item]!.v))
        let slopes = analyticInteractions(settings, features, event.parameters.map(\.v))
        for a in rows.indices {
            for f in rows[a].v.indices { rows[a].v[f] += e * slopes.features[a][f] }
            rows[a].w += e * event.x[a]
        }
        for f in items[item]!.v.indices { items[item]!.v[f] += e * slopes.features[rows.count][f] }
        items[item]!.w += e
        for b in parameters.indices { for f in parameters[b].indices { parameters[b][f] += e * slopes.parameters[b][f] } }
        bias += e
    }
}
