public import Factorization

extension EventDecoder {
    /// Reads the context of a request, or attributes, by the rules of an event's context, into the features of an empty batch.
    /// - Parameter name: the parameter's, for what is wrong with it.
    /// - Throws: -32602, saying what is wrong.
    public func readContext(_ context: JSONValue, named name: StaticString = "context", into batch: EventBatch) throws(JSONRPCError) {
        batch.reset()
        do throws(DecodeFailure) {
            _ = try appendFeatures(context, .badContext, batch)
        } catch {
            switch error {
            case .full: throw .invalidParams("params.\(name): more text than a request may hold")
            case .rejected(_, let detail): throw .invalidParams("params.\(name): \(detail)")
            }
        }
    }
}
