/// The rules of a shop for one list of recommendations, ids resolved: what may be in it at all.
public struct ItemRules: Sendable {
    /// Leave out these items; `Placement.none` among them names nothing.
    public var excluded: [UInt32]

    public init(excluded: [UInt32] = []) { self.excluded = excluded }
}
