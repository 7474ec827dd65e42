public import Factorization

extension Engine {
    /// The rows of users, items and, where the model takes histories, of items as context. For a kind whose rows hold more than one
    /// vector (`gfm`, `ffm`, `hofm`) they stand one after the other.
    public func factorGroups(model: Int = 0) -> [FactorGroup] {
        let scorer = Scorer(engine: self)
        var groups: [FactorGroup] = []
        for (subject, table, name) in [(RowInspection.Subject.user, users, "users"), (.item, items, "items")] {
            var own = FactorGroup(name: name, ids: [], rank: 0, factors: []), history = own
            own.weights = []
            history.name = "histories"
            for ordinal in 0..<UInt32(table.count) where !table.isHole(ordinal) {
                let id = EventID(table.key(ordinal, hashing: hashing)), rows = scorer.reading { scorer.inspect(model: model, subject, ordinal).rows }
                own.ids.append(id)
                own.rank = rows[0].factors.count
                own.factors += rows[0].factors
                own.weights?.append(rows[0].weight)
                guard rows.count > 1 else { continue }
                history.ids.append(id)
                history.rank = rows[1].factors.count
                history.factors += rows[1].factors
            }
            groups.append(own)
            if !history.ids.isEmpty { groups.append(history) }
        }
        return groups
    }

    /// Takes rows from elsewhere: ids that are new get one. Counts each as one interaction, so that answers take them for known.
    /// - Precondition: the groups' rank is the model's.
    public func adopt(users: FactorGroup, items: FactorGroup, model: Int = 0) {
        for (number, id) in users.ids.enumerated() {
            set(user: id.withKey(hashing) { admit(user: $0) }, SolvedRow(factors: Array(users.row(number)), weight: users.weights?[number] ?? 0, updates: 1), model: model)
        }
        for (number, id) in items.ids.enumerated() {
            set(item: id.withKey(hashing) { admit(item: $0) }, SolvedRow(factors: Array(items.row(number)), weight: items.weights?[number] ?? 0, updates: 1), model: model)
        }
        settle(weights: [Int](repeating: 1, count: users.ids.count), model: model)
    }
}

extension EventID {
    /// Calls `body` with the key of this id.
    func withKey<Value>(_ hashing: KeyHash, _ body: (Key) -> Value) -> Value {
        switch self {
        case .integer(let value): return body(Key(integer: value, hashing: hashing))
        case .text(var text): return text.withUTF8 { body(Key(text: UnsafeRawBufferPointer($0), hashing: hashing)) }
        }
    }
}
