import Testing

@testable import Factorization

/// A value of an attribute as a test writes it.
enum ShopValue: Hashable {
    case text(String)
    case integer(Int64)
    case number(Float)
}

/// An item of a shop as a test knows it.
struct ShopItem {
    var attributes: [(field: String, value: ShopValue)] = []
    var expires: Int64?
    var isHidden = false

    func values(_ field: String) -> [ShopValue] { attributes.filter { $0.field == field }.map(\.value) }
}

/// A catalogue beside the engine's, and what the rules mean in the plainest words.
struct Shop {
    static let brands = ["acme", "bolt", "core", "dyne", "false"]
    static let fields = ["brand", "size", "price", "sold_out", "tags", "nothing"]
    var items: [Int64: ShopItem] = [:]

    /// Attributes of which some items have more than count in full, so that their x are scaled.
    static func attributes(_ dice: inout Dice) -> [(field: String, value: ShopValue)] {
        var attributes: [(field: String, value: ShopValue)] = []
        func sometimes(_ times: Int, _ value: (field: String, value: ShopValue)) { if dice.below(10) < times { attributes.append(value) } }
        sometimes(9, ("brand", .text(brands[dice.below(5)])))
        sometimes(3, ("brand", .text(brands[dice.below(5)])))
        sometimes(8, ("size", .integer(Int64(dice.below(7)) - 2)))
        sometimes(8, ("price", .number([0, 1, 0.5, 2.25, -1.1, 49.99, 0.1][dice.below(7)])))
        sometimes(5, dice.below(2) == 0 ? ("sold_out", .text(dice.below(2) == 0 ? "true" : "false")) : ("sold_out", .integer(Int64(dice.below(2)))))
        for _ in 0..<(dice.below(3) == 0 ? 10 : dice.below(3)) {
            sometimes(9, ("tags", dice.below(2) == 0 ? .text("t\(dice.below(6))") : .integer(Int64(dice.below(4)))))
        }
        return attributes
    }

    /// Gives an item attributes, here and in a batch.
    mutating func describe(_ id: Int64, _ attributes: [(field: String, value: ShopValue)], expires: Int64? = nil, _ builder: BatchBuilder) {
        items[id, default: ShopItem()].attributes = attributes
        items[id]!.expires = expires
        builder.append(item: id, attributes, expires: expires)
    }

    // MARK: The meaning of an expression

    static func isTrue(_ expression: AttributeExpression, _ item: ShopItem) -> Bool {
        switch expression {
        case .not(let inner): return !isTrue(inner, item)
        case .and(let a, let b): return isTrue(a, item) && isTrue(b, item)
        case .or(let a, let b): return isTrue(a, item) || isTrue(b, item)
        case .test(let test):
            return item.values(test.field).contains { value in
                switch test.relation {
                case .exists: true
                case .isTrue: value != .text("false") && value != .integer(0) && value != .number(0)
                case .equals(let wanted): equal(value, wanted)
                case .differs(let wanted): !equal(value, wanted)
                case .isIn(let list): list.contains { equal(value, $0) }
                case .compares(let order, let number): compares(value, order, number)
                }
            }
        }
    }

    private static func equal(_ value: ShopValue, _ wanted: AttributeValue) -> Bool {
        switch (value, wanted) {
        case (.text(let a), .text(let b)): a == b
        case (.integer(let a), .number(.integer(let b))): a == b
        case (.integer(let a), .number(.number(let b))): Double(a) == b
        case (.number(let a), .number(.integer(let b))): a == Float(b)
        case (.number(let a), .number(.number(let b))): a == Float(b)
        default: false
        }
    }

    private static func compares(_ value: ShopValue, _ order: AttributeTest.Order, _ number: AttributeNumber) -> Bool {
        let wanted = switch number {
        case .integer(let wanted): Double(wanted)
        case .number(let wanted): wanted
        }
        let (a, b): (Double, Double)
        switch value {
        case .text: return false
        case .integer(let value): (a, b) = (Double(value), wanted)
        case .number(let value): (a, b) = (Double(value), Double(Float(wanted)))
        }
        return switch order {
        case .less: a < b
        case .atMost: a <= b
        case .greater: a > b
        case .atLeast: a >= b
        }
    }

    // MARK: The list

    /// The ranking as the rules leave it, before diversity and offset, from the scores of all items.
    func ranking(_ engine: Engine, _ query: RecommendQuery, _ score: (UInt32) -> Float) -> [ScoredItem] {
        let rules = query.rules
        var seen: Set<UInt32> = []
        if query.excludesSeen && query.user != Placement.none { _ = engine.shared.userItems.forEachSeen(by: query.user) { seen.insert($0) } }
        var ranking: [ScoredItem] = []
        for ordinal in 0..<UInt32(engine.items.count) {
            let item = items[Int64(bitPattern: engine.items.key(ordinal, hashing: engine.hashing).payload)] ?? ShopItem()
            guard rules.candidates?.contains(ordinal) != false, !rules.excluded.contains(ordinal), !seen.contains(ordinal), !item.isHidden,
                item.expires.map({ rules.now < $0 }) != false, rules.filter.map({ Shop.isTrue($0, item) }) != false
            else { continue }
            var boost: Float = 0
            for rule in rules.boosts where Shop.isTrue(rule.when, item) { boost += rule.add }
            let whole = score(ordinal) + boost
            if rules.minimumScore.map({ whole >= $0 }) != false { ranking.append(ScoredItem(item: ordinal, score: whole)) }
        }
        ranking.sort { $0.score != $1.score ? $0.score > $1.score : $0.item < $1.item }
        var counts: [String: Int] = [:]
        return ranking.filter { item in
            let attributes = items[Int64(bitPattern: engine.items.key(item.item, hashing: engine.hashing).payload)] ?? ShopItem()
            let values = rules.caps.flatMap { cap in Set(attributes.values(cap.field)).map { ("\(cap.field) \($0)", cap.limit) } }
            guard values.allSatisfy({ counts[$0.0, default: 0] < $0.1 }) else { return false }
            for name in Set(values.map(\.0)) { counts[name, default: 0] += 1 }
            return true
        }
    }
}

extension BatchBuilder {
    func append(item: Int64, _ attributes: [(field: String, value: ShopValue)], expires: Int64? = nil) {
        let first = batch.featureCount
        for attribute in attributes {
            let field = text(attribute.field)
            switch attribute.value {
            case .text(let value):
                let key = Key(text: batch.text(text(value)), hashing: hashing)
                #expect(batch.append(FeatureEntry(field: field, value: key)))
            case .integer(let value): #expect(batch.append(FeatureEntry(field: field, value: key(value))))
            case .number(let value): #expect(batch.append(FeatureEntry(field: field, value: key(0), weight: value, isNumber: true)))
            }
        }
        #expect(
            batch.append(
                EventRecord(
                    kind: .itemAttributes, user: key(0), item: key(item), timeMilliseconds: expires ?? EventRecord.noTime,
                    firstFeature: UInt32(first), featureCount: UInt16(attributes.count))))
    }
}

extension AttributeExpression {
    static func random(_ dice: inout Dice, depth: Int = 3) -> AttributeExpression {
        switch depth == 0 ? 0 : dice.below(6) {
        case 0, 1, 2: .test(AttributeTest(field: Shop.fields[dice.below(6)], .random(&dice)))
        case 3: .not(random(&dice, depth: depth - 1))
        case 4: .and(random(&dice, depth: depth - 1), random(&dice, depth: depth - 1))
        default: .or(random(&dice, depth: depth - 1), random(&dice, depth: depth - 1))
        }
    }
}

extension AttributeTest.Relation {
    static func random(_ dice: inout Dice) -> AttributeTest.Relation {
        switch dice.below(6) {
        case 0: .exists
        case 1: .isTrue
        case 2: .equals(.random(&dice))
        case 3: .differs(.random(&dice))
        case 4: .isIn((0..<1 + dice.below(4)).map { _ in .random(&dice) })
        default: .compares(AttributeTest.Order.allCases[dice.below(4)], .random(&dice))
        }
    }
}

extension AttributeValue {
    static func random(_ dice: inout Dice) -> AttributeValue {
        dice.below(2) == 0 ? .number(.random(&dice)) : .text((Shop.brands + ["true", "t1", "t2", "unknown"])[dice.below(9)])
    }
}

extension AttributeNumber {
    static func random(_ dice: inout Dice) -> AttributeNumber {
        dice.below(2) == 0 ? .integer(Int64(dice.below(6)) - 2) : .number([0.5, 1, 49.99, 0.1, 2.0, -1.1, 3.5][dice.below(7)])
    }
}
