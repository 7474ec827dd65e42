extension Scorer {
    /// Starts a side: the user's, or in its place that of a visitor, with a row fitted to the items that they took. Inside
    /// `reading`.
    func start(
        _ side: UserSide, _ number: Int, _ user: UInt32, _ features: [(ordinal: UInt32, weight: Float)], _ visitor: Visitor?
    ) {
        guard user == Placement.none, let visitor else { return side.start(user: user, userItems: engine.shared.userItems) }
        let fit = foldIns[number]
        let isFitted = fit.fit(visitor, features, now: side.model.halfLife.stamp(engine.appliedPosition), against: .present(engine.items))
        side.start(visitor.attributes, items: visitor.items[...], row: isFitted ? fit.row : nil)
    }
}
