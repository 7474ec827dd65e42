import CKernels
import Foundation
import Testing

@testable import Factorization

/// What a fit minimises, in double and from the definitions of the kinds.
struct FitObjective {
    let engine: Engine
    let items: [UInt32]
    let draws: Int
    let passes: Double
    /// Of a user's own row: where it was, its weight last, which stays; and its accumulator.
    private let anchor: (row: [Double], accumulator: Double)?
    private var pull = 0.0
    private let weights: [Double]
    private var units: [(place: Int, item: UInt32, label: Double, weight: Double)] = []
    private let attributes: [ResolvedFeature]
    private let context: [(ordinal: UInt32, weight: Float)]
    /// One item in another's place, for pairs.
    private var positives: [Int: UInt32] = [:]
    private var diagonal = (factors: 0.0, weight: 0.0)
    /// Each unit's score at zero, and what each coordinate adds to it: a score is linear in a row, which `score` confirms.
    private var lines: [(base: Double, slopes: [Double])] = []
    var settings: ModelSettings { engine.models[0].settings }

    init(
        _ engine: Engine, _ items: [(item: UInt32, weight: Double)], attributes: [ResolvedFeature], context: [(ordinal: UInt32, weight: Float)], draws: Int,
        passes: Double, anchor: (row: [Double], accumulator: Double)? = nil, word own: UInt64? = nil, barred: Set<UInt32> = []
    ) {
        self.anchor = anchor
        weights = items.map(\.weight)
        self.engine = engine
        self.items = items.map(\.item)
        self.draws = draws
        self.passes = passes
        self.attributes = attributes
        self.context = context
        var word = own ?? mix64(engine.models[0].settings.seed)
        for item in self.items { word = mix64(word ^ UInt64(item)) }
        let count = UInt64(engine.items.count), settings = engine.models[0].settings, isPairwise = settings.loss.isPairwise
        for (place, item) in items.enumerated() {
            positives[place] = item.item
            if !isPairwise { units.append((place, item.item, 1, item.weight)) }
            guard settings.unobserved == .sampled, settings.negatives > 0 else { continue }
            for number in 0..<draws {
                let bits = mix64(mix64(word &+ UInt64(place)) &+ UInt64(number)), drawn = UInt32(((bits >> 32) * count) >> 32)
                if self.items.contains(drawn) || barred.contains(drawn) { continue }
                units.append((place, drawn, isPairwise ? 1 : 0, item.weight * Double(settings.negatives) / Double(draws)))
            }
        }
        let zero = [Double](repeating: 0, count: width)
        for unit in units {
            let base = difference(unit, zero)
            lines.append((base, zero.indices.map { f in
                var x = zero
                x[f] = 1
                return difference(unit, x) - base
            }))
        }
        diagonal = penalties()
        if anchor != nil { pull = diagonal.factors - Double(settings.l2.user) * steps }
    }

    /// How far the linear form of a unit is from the definition at x, at most.
    func nonlinearity(_ x: [Double]) -> Double {
        zip(units, lines).reduce(0) { max($0, abs(difference($1.0, x) - $1.1.base - dot($1.1.slopes, x))) }
    }

    /// Steps that a stream would take.
    private var steps: Double {
        settings.unobserved == .sampled ? units.reduce(0) { $0 + ($1.label > 0 && !settings.loss.isPairwise ? 1 : $1.weight) } : anchor == nil ? Double(items.count) : weights.reduce(0, +)
    }

    /// l2 and what the rates leave unsaid.
    private func penalties() -> (Double, Double) {
        let isSampled = settings.unobserved == .sampled
        let zero = [Double](repeating: 0, count: width)
        var (rate, weightRate) = (Double(settings.rates.user), Double(settings.rates.weight))
        if settings.optimizer != .sgd && isSampled {
            var factors = 0.0, weight = 0.0
            for place in items.indices {
                let group = units.indices.filter { units[$0].place == place }
                let slopes = (0..<width).map { f in slope(zero, f) { x in group.reduce(0) { $0 + loss($1, x) } } }
                factors += dot(Array(slopes.dropLast()), Array(slopes.dropLast()))
                weight += slopes[width - 1] * slopes[width - 1]
            }
            if let anchor { factors = anchor.accumulator * Double(width - 1) }
            rate /= (factors / Double(width - 1)).squareRoot()
            if weight > 1e-12 { weightRate /= weight.squareRoot() }
        }
        return (Double(settings.l2.user) * steps + 1 / (passes * rate), Double(settings.l2.weight) * steps + 1 / (passes * weightRate))
    }

    /// The row, then its weight.
    var width: Int { engine.models[0].layout.sideRank + 1 }

    private func score(_ item: UInt32, _ place: Int, _ x: [Double]) -> Double {
        let model = engine.models[0], itemField = FieldAwareMachine.fieldCount(settings) - 1
        var features = [DefinedFeature(field: 0, x: 1, v: Array(x.dropLast()))], linear = Double(model.bias)
        for attribute in attributes {
            let row = ReferenceRow(model.userAttributes, attribute.ordinal)
            features.append(DefinedFeature(field: FieldAwareMachine.otherField(settings), x: Double(attribute.weight), v: row.v))
            linear += Double(attribute.weight) * row.w
        }
        let newest = Array(items[..<place].suffix(settings.history.length).reversed())
        let powers = newest.indices.map { pow(Double(settings.history.decay), Double($0)) }, scale = 1 / powers.reduce(0, +).squareRoot()
        for (item, power) in zip(newest, powers) {
            features.append(DefinedFeature(field: 1, x: power * scale, v: ReferenceRow(model.histories!, item).v))
        }
        for feature in context {
            let row = ReferenceRow(model.contexts, feature.ordinal), name = feature.ordinal == context[0].ordinal ? "f0" : "f2"
            features.append(DefinedFeature(field: FieldAwareMachine.contextField(Array(name.utf8), settings), x: Double(feature.weight), v: row.v))
            linear += Double(feature.weight) * row.w
        }
        let own = ReferenceRow(model.items, item, withTail: true)
        features.append(DefinedFeature(field: itemField, isItemSide: true, x: 1, v: own.v))
        if settings.unobserved == .sampled {
            linear += own.w
            if model.layout.hasWeights { linear += x[width - 1] }
        }
        for attribute in engine.attributes(item: item) {
            let row = ReferenceRow(model.itemAttributes, attribute.ordinal, withTail: true)
            features.append(DefinedFeature(field: itemField, isItemSide: true, x: Double(attribute.weight), v: row.v))
            if settings.unobserved == .sampled { linear += Double(attribute.weight) * row.w }
        }
        return linear + definedInteractions(settings, features, (0..<model.layout.parameters.count).map { ReferenceRow(model.parameters!, $0, rank: settings.rank).v })
    }

    /// The score that a unit's loss is of: a pair's is that of the positive less that of the other.
    private func difference(_ unit: (place: Int, item: UInt32, label: Double, weight: Double), _ x: [Double]) -> Double {
        let s = score(unit.item, unit.place, x)
        return settings.loss.isPairwise ? score(positives[unit.place]!, unit.place, x) - s : s
    }

    private func loss(_ number: Int, _ x: [Double]) -> Double {
        let unit = units[number], s = lines[number].base + dot(lines[number].slopes, x)
        if settings.loss == .squared || settings.unobserved == .regularized { return unit.weight * (s - unit.label) * (s - unit.label) / 2 }
        return unit.weight * (log(1 + exp(s)) - unit.label * s)
    }

    func value(_ x: [Double]) -> Double {
        var sum = units.indices.reduce(0) { $0 + loss($1, x) }
        sum += 0.5 * diagonal.factors * dot(Array(x.dropLast()), Array(x.dropLast())) + 0.5 * diagonal.weight * x[width - 1] * x[width - 1]
        if let anchor { sum -= pull * dot(Array(anchor.row.dropLast()), Array(x.dropLast())) }
        guard let grams = engine.models[0].grams else { return sum }
        // ½ γ/n qᵀ G q of each item's query, `mf`: row, history, attributes and context summed.
        let model = engine.models[0]
        for place in items.indices {
            let share = anchor == nil ? 1 : weights[place]
            var q = Array(x.dropLast())
            let newest = Array(items[..<place].suffix(settings.history.length).reversed())
            let powers = newest.indices.map { pow(Double(settings.history.decay), Double($0)) }, scale = 1 / powers.reduce(0, +).squareRoot()
            func add(_ row: [Double], _ x: Double) { for f in q.indices { q[f] += x * row[f] } }
            for (item, power) in zip(newest, powers) { add(ReferenceRow(model.histories!, item).v, power * scale) }
            for attribute in attributes { add(ReferenceRow(model.userAttributes, attribute.ordinal).v, Double(attribute.weight)) }
            for feature in context { add(ReferenceRow(model.contexts, feature.ordinal).v, Double(feature.weight)) }
            for a in q.indices {
                for b in q.indices {
                    sum += 0.5 * share * Double(settings.interaction.user) / Double(engine.items.count) * q[a] * q[b] * Double(grams.items[a * grams.width + b])
                }
            }
        }
        return sum
    }

    func slope(_ x: [Double], _ f: Int, _ of: ([Double]) -> Double) -> Double {
        var up = x, down = x
        up[f] += 1e-4
        down[f] -= 1e-4
        return (of(up) - of(down)) / 2e-4
    }

    /// Gradient descent, each step as long as still descends, until nothing is left to be gained.
    func minimum() -> [Double] {
        var x = anchor?.row ?? [Double](repeating: 0, count: width), value = value(x), step = 1.0
        for _ in 0..<2000 {
            let gradient = (0..<width).map { anchor != nil && $0 == width - 1 ? 0 : slope(x, $0, self.value) }, size = dot(gradient, gradient)
            if size < 1e-10 { break }
            while step > 1e-9 {
                let next = zip(x, gradient).map { $0 - step * $1 }, there = self.value(next)
                if there <= value - 0.3 * step * size {
                    (x, value) = (next, there)
                    step *= 1.7
                    break
                }
                step /= 2
            }
            if step <= 1e-9 { break }
        }
        return x
    }
}
