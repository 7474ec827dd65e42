import WireFormats

extension AdminMethods {
    /// `promote`: makes a model the one that answers by default, if it was shown to be better, or with `force`.
    func promote(_ request: JSONRPCRequest, into writer: inout JSONWriter) throws(JSONRPCError) {
        let parameters = try JSONRPCParameters(of: request)
        guard let name = try parameters.required("model").string else { throw .invalidParams("params.model: a string is expected") }
        let promoted: (position: UInt64, evidence: Promoter.Evidence?)
        do {
            promoted = try promoter.promote(name, force: try parameters.bool("force", default: false))
        } catch let error as JSONRPCError {
            throw error
        } catch let refusal as Promoter.Refusal {
            if case .unknown = refusal { throw .invalidParams("params.model: \(refusal)") }
            throw .notAvailable("\(refusal)")
        } catch {
            throw .internalError("promoted, but not known to be durable: \(error)")
        }
        writer.beginObject()
        writer.member("model", name)
        writer.member("position", promoted.position)
        writer.key("evidence")
        if let evidence = promoted.evidence { promoter.write(evidence, into: &writer) } else { writer.null() }
        writer.endObject()
    }
}
