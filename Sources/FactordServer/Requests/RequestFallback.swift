/// What stands in for a user who is not known; an answer says which did.
public enum RequestFallback: String, Sendable, Codable, CaseIterable {
    /// A row fitted to the items that the request names as the user's history.
    case items
    /// Attributes in the request, or those held of a user who has never interacted.
    case attributes
    /// The request's context by itself.
    case context
    /// Lists: the most popular items. Scores have bias and item weight alone, which need no permission (`item_bias`).
    case popularity
}
