extension Scorer {
    /// The items most like one, by the cosine of their vectors (`Likeness`); all that the query's rules admit are compared.
    /// - Parameter query: how many, and by which rules; its user is not asked for.
    /// - Returns: best first, without the item itself; empty where nothing is known of it.
    public func similar(model number: Int = 0, to item: RequestedItem, _ query: RecommendQuery) -> [ScoredItem] {
        reading {
            let scratch = likenesses[number]
            guard item.ordinal != Placement.none || !item.attributes.isEmpty else { return [] }
            scratch.wanted.update(from: scratch.itemVector(item), count: scratch.model.width)
            let size = scratch.norm(scratch.wanted)
            guard size > 0 else { return [] }
            return list(query, model: number) { other in
                other == item.ordinal ? nil : scratch.likeness(scratch.wanted, size, scratch.itemVector(RequestedItem(other)))
            }
        }
    }

    /// The users most like one, or like a visitor by attributes and the row fitted to the items taken.
    /// - Parameter excluded: users left out.
    /// - Returns: best first, users' ordinals, without the user itself; empty where nothing is known of them.
    public func similarUsers(
        model number: Int = 0, to user: UInt32, visitor: Visitor? = nil, count: Int, excluded: Set<UInt32> = []
    ) -> [ScoredItem] {
        reading {
            let scratch = likenesses[number]
            guard user != Placement.none || visitor != nil else { return [] }
            scratch.prepareUsers()
            if user != Placement.none {
                scratch.wanted.update(from: scratch.userVector(user), count: scratch.model.width)
            } else if let visitor {
                let isFitted = foldIns[number].fit(visitor, [], now: scratch.model.halfLife.stamp(engine.appliedPosition), against: .present(engine.items))
                let vector = scratch.userVector(visitor.attributes, isFitted ? foldIns[number].row : nil)
                scratch.wanted.update(from: vector, count: scratch.model.width)
            }
            let size = scratch.norm(scratch.wanted)
            guard size > 0 else { return [] }
            top.start(min(count, engine.users.count))
            for other in 0..<UInt32(engine.users.count) where other != user && !engine.users.isHole(other) && !excluded.contains(other) {
                if let likeness = scratch.likeness(scratch.wanted, size, scratch.userVector(other)), likeness >= top.threshold {
                    top.offer(ScoredItem(item: other, score: likeness))
                }
            }
            return top.sorted()
        }
    }

    /// The list of all items that the query's rules admit, by any score and all the rules; nil leaves an item out. Inside `reading`.
    /// - Parameter number: the model whose vectors tell what is alike.
    func list(_ query: RecommendQuery, model number: Int = 0, by score: (UInt32) -> Float?) -> [ScoredItem] {
        let count = engine.items.count
        _ = check.start(query, catalogue: count)
        defer { check.finish() }
        return rank(number, query, catalogue: count) { limit in
            top.start(min(limit, count))
            check.forEachAdmitted(below: count) { item in
                if let score = score(item) { offerAdmitted(item, score: score) }
            }
            return top.sorted()
        }
    }
}
