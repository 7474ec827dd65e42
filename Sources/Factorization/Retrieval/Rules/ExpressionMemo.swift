import CKernels
import Synchronization

/// An expression made ready for the attributes as they are, and what is known of it for each item.
///
/// * Each test is tried once for each known value of its field: `passed[attribute]` has a bit for every test that the attribute
///   satisfies. An item's answer is the program on the union of its attributes' words.
/// * Each item's answer is kept until the item's attributes change, in two bits: whether it is known, and what it is.
/// * When it is known of all items and true of few, `few` lists those.
///
/// Thread safety: `prepare` belongs to the thread of the query; `isTrue` is then for any threads that scan for it, inside
/// `ReaderEpochs.reading`. Two of them may find out the same: they find the same.
final class ExpressionMemo {
    private let engine: Engine
    private let program: ExpressionProgram
    private let lists: AttributeLists
    private var namespaces: [UInt16?]
    /// By attribute. With `numberBit`, the attribute is that of a field's numbers, whose word depends on x.
    private var passed: [UInt64] = []
    /// The tests of the field of such an attribute.
    private var numberTests: [UInt32: [Int]] = [:]
    /// By item, 32 to a word.
    private var answers: UnsafeMutablePointer<Atomic<UInt64>>
    private var words = 0
    private let known = Atomic<Int>(0)
    private let holding = Atomic<Int>(0)
    /// The last change of attributes that is taken in.
    private var change: UInt64
    private var listed: (few: [UInt32], isCurrent: Bool) = ([], false)
    /// When a query last asked for it.
    var used: UInt64 = 0

    private static let numberBit: UInt64 = 1 << 63
    private static let isKnown: UInt64 = 1, isKnownTrue: UInt64 = 3

    init(_ expression: AttributeExpression, _ engine: Engine) {
        self.engine = engine
        program = ExpressionProgram(expression)
        lists = engine.shared.attributes.items
        namespaces = program.tests.map { _ in nil }
        answers = .allocate(capacity: 0)
        change = lists.changes.newest
    }

    deinit { answers.deallocate() }

    // MARK: For a query

    /// Takes in what has changed. Inside `ReaderEpochs.reading`.
    func prepare(catalogue: Int, _ fields: AttributeFields) {
        makeRoom(catalogue)
        let newest = lists.changes.newest
        if let last = lists.changes.read(after: change, { forget($0) }) {
            change = last
        } else {
            forgetAll()
            change = newest
        }
        extend(fields)
        let missing = catalogue - known.load(ordering: .relaxed)
        if missing > 0 && missing <= catalogue / 2 { findOutAll(catalogue) }
    }

    /// The items of which it is true, where that is known of all and there are at most `limit` of them.
    func few(_ limit: Int, catalogue: Int) -> [UInt32]? {
        guard known.load(ordering: .relaxed) >= catalogue, holding.load(ordering: .relaxed) <= limit else { return nil }
        if !listed.isCurrent {
            listed.few.removeAll(keepingCapacity: true)
            for place in 0..<words {
                var word = answers[place].load(ordering: .relaxed) & 0xAAAA_AAAA_AAAA_AAAA
                while word != 0 {
                    listed.few.append(UInt32(place * 32 + word.trailingZeroBitCount / 2))
                    word &= word - 1
                }
            }
            listed.isCurrent = true
        }
        return listed.few
    }

    private func makeRoom(_ catalogue: Int) {
        let needed = (catalogue + 31) >> 5
        guard needed > words else { return }
        let larger = UnsafeMutablePointer<Atomic<UInt64>>.allocate(capacity: max(needed, 2 * words))
        for place in 0..<max(needed, 2 * words) {
            (larger + place).initialize(to: Atomic(place < words ? answers[place].load(ordering: .relaxed) : 0))
        }
        answers.deallocate()
        answers = larger
        words = max(needed, 2 * words)
    }

    private func forget(_ item: UInt32) {
        guard Int(item >> 5) < words else { return }
        let shift = UInt64(item & 31) * 2
        let old = answers[Int(item >> 5)].bitwiseAnd(~(ExpressionMemo.isKnownTrue << shift), ordering: .relaxed).oldValue >> shift
        guard old & ExpressionMemo.isKnown != 0 else { return }
        known.subtract(1, ordering: .relaxed)
        if old & ExpressionMemo.isKnownTrue == ExpressionMemo.isKnownTrue { holding.subtract(1, ordering: .relaxed) }
        listed.isCurrent = false
    }

    private func forgetAll() {
        for place in 0..<words { answers[place].store(0, ordering: .relaxed) }
        known.store(0, ordering: .relaxed)
        holding.store(0, ordering: .relaxed)
        listed.isCurrent = false
    }

    private func findOutAll(_ catalogue: Int) {
        listed.isCurrent = false
        for shard in 0..<Placement.shardCount {
            let rows = Placement.rows(in: shard, of: catalogue)
            for local in 0..<rows {
                if local + 16 < rows { lists.prefetch(Placement.ordinal(shard: shard, local: local + 16)) }
                _ = isTrue(Placement.ordinal(shard: shard, local: local))
            }
        }
    }

    // MARK: Attributes

    /// Tries the tests on attributes that are new.
    private func extend(_ fields: AttributeFields) {
        let covered = passed.count
        guard fields.covered > covered else { return }
        passed.append(contentsOf: repeatElement(0, count: fields.covered - covered))
        for (place, test) in program.tests.enumerated() {
            // A field that is unknown has no attribute below `covered`.
            if namespaces[place] == nil {
                var name = test.field
                namespaces[place] = name.withUTF8 { engine.fields.namespace(UnsafeRawBufferPointer($0)) }
            }
            guard let namespace = namespaces[place] else { continue }
            mark(1 << UInt64(place), test, namespace, from: covered, fields)
            markNumbers(place, namespace)
        }
    }

    private func mark(_ bit: UInt64, _ test: AttributeTest, _ namespace: UInt16, from covered: Int, _ fields: AttributeFields) {
        let features = lists.features
        func mark(_ value: AttributeValue) {
            guard let ordinal = find(value, namespace), Int(ordinal) < passed.count else { return }
            passed[Int(ordinal)] |= bit
        }
        switch test.relation {
        case .equals(let value): mark(value)
        case .isIn(let values): for value in values { mark(value) }
        case .exists, .isTrue, .differs, .compares:
            let ordinals = fields.ordinals(namespace)
            let first = ordinals.partitioned { Int($0) >= covered }
            for ordinal in ordinals[first...] where test.holds(for: features.key(ordinal, hashing: engine.hashing)) {
                passed[Int(ordinal)] |= bit
            }
        }
    }

    private func find(_ value: AttributeValue, _ namespace: UInt16) -> UInt32? {
        if let integer = value.integer { return find(Key(integer: integer, namespace: namespace, hashing: engine.hashing)) }
        guard case .text(var text) = value, (1...Key.longestText).contains(text.utf8.count) else { return nil }
        return text.withUTF8 { find(Key(text: UnsafeRawBufferPointer($0), namespace: namespace, hashing: engine.hashing)) }
    }

    private func find(_ key: Key) -> UInt32? {
        let ordinal = lists.features.find(key)
        return ordinal == Placement.none ? nil : ordinal
    }

    /// Notes that the field's attribute 0 stands for its numbers, too.
    private func markNumbers(_ place: Int, _ namespace: UInt16) {
        guard let zero = find(Key(integer: 0, namespace: namespace, hashing: engine.hashing)), Int(zero) < passed.count,
            !numberTests[zero, default: []].contains(place)
        else { return }
        passed[Int(zero)] |= ExpressionMemo.numberBit
        numberTests[zero, default: []].append(place)
    }

    // MARK: Items

    /// Whether it is true of an item.
    @inline(__always)
    func isTrue(_ item: UInt32) -> Bool {
        let answer = answers[Int(item >> 5)].load(ordering: .relaxed) >> (UInt64(item & 31) * 2) & ExpressionMemo.isKnownTrue
        return answer != 0 ? answer == ExpressionMemo.isKnownTrue : findOut(item)
    }

    @inline(never)
    private func findOut(_ item: UInt32) -> Bool {
        let isTrue = program.isTrue(lists[item].map(union) ?? 0), shift = UInt64(item & 31) * 2
        let answer = isTrue ? ExpressionMemo.isKnownTrue : ExpressionMemo.isKnown
        let old = answers[Int(item >> 5)].bitwiseOr(answer << shift, ordering: .relaxed).oldValue >> shift
        if old & ExpressionMemo.isKnown == 0 {
            known.add(1, ordering: .relaxed)
            if isTrue { holding.add(1, ordering: .relaxed) }
        }
        return isTrue
    }

    private func union(_ list: AttributeList) -> UInt64 {
        let given = list.given
        var union: UInt64 = 0
        for index in 0..<list.count {
            let ordinal = given[index].ordinal
            // An attribute that came after `prepare`: its item is looked at again with the next query.
            guard Int(ordinal) < passed.count else { continue }
            let word = passed[Int(ordinal)]
            if word & ExpressionMemo.numberBit == 0 {
                union |= word
            } else if list.isNumber(index) {
                for place in numberTests[ordinal] ?? [] where program.tests[place].holds(for: given[index].weight) {
                    union |= 1 << UInt64(place)
                }
            } else {
                union |= word & ~ExpressionMemo.numberBit
            }
        }
        return union
    }
}

extension AttributeList {
    /// Whether an attribute of which the key is 0 is a number, and not the category 0.
    func isNumber(_ index: Int) -> Bool { given[index].weight != 1 || ones >> UInt64(index) & 1 != 0 }
}

extension Array {
    /// The first place from which on `belongs` is true of all, in an array that has them at the end.
    fileprivate func partitioned(_ belongs: (Element) -> Bool) -> Int {
        var low = 0, high = count
        while low < high {
            let middle = (low + high) / 2
            if belongs(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
