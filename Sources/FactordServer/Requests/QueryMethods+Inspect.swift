import Factorization
import WireFormats

extension QueryMethods {
    /// `inspect`: what is held of a user, an item, a context value or an attribute; of the model where none is named.
    func inspect(_ request: JSONRPCRequest, _ waiting: WaitState, _ writer: inout JSONWriter) throws(JSONRPCError) {
        let parameters = try JSONRPCParameters(of: request)
        let late = try isLate(parameters, waiting)
        let number = try model(parameters), position = engine.appliedPosition
        try scorer.reading { () throws(JSONRPCError) in
            let subject = try subject(parameters)
            writer.beginObject()
            writer.member("model", engine.models[number].settings.name)
            if let (subject, ordinal) = subject {
                writer.member("known", ordinal != Placement.none)
                if ordinal != Placement.none { write(scorer.inspect(model: number, subject, ordinal), &writer) }
            } else {
                write(model: number, &writer)
            }
            writer.member("position", position)
            if late { writer.member("late", true) }
            writer.endObject()
        }
    }

    /// Whose row is asked for, of the one that is named; `Placement.none` where it has none.
    private func subject(_ parameters: JSONRPCParameters) throws(JSONRPCError) -> (RowInspection.Subject, UInt32)? {
        let names: [(StaticString, RowInspection.Subject, EntityTable)] = [
            ("user", .user, engine.users), ("item", .item, engine.items), ("context", .context, engine.contexts),
            ("user_attribute", .userAttribute, engine.userAttributes), ("item_attribute", .itemAttribute, engine.itemAttributes),
        ]
        let given = names.filter { parameters.value($0.0) != nil }
        guard given.count <= 1 else { throw .invalidParams("params: one of user, item, context, user_attribute and item_attribute is expected") }
        guard let (name, subject, table) = given.first else { return nil }
        if subject == .user || subject == .item {
            guard let key = try parameters.key(name, policy: ids, hashing: engine.hashing) else { return nil }
            return (subject, table.find(key))
        }
        let members = try parameters.required(name)
        guard members.isObject, members.count == 1 else { throw .invalidParams("params.\(name): an object with one field is expected") }
        let features = try features(members, name, table)
        return (subject, features.count == 1 ? features[0].ordinal : Placement.none)
    }

    private func write(model number: Int, _ writer: inout JSONWriter) {
        let size = scorer.inspect(model: number), settings = engine.models[number].settings
        writer.member("kind", settings.kind.rawValue)
        writer.member("rank", settings.rank)
        writer.member("users", size.users)
        writer.member("items", size.items)
        writer.member("parameters", size.parameters)
        writer.member("saturated_parameters", size.saturated)
    }

    private func write(_ row: RowInspection, _ writer: inout JSONWriter) {
        writer.member("ordinal", Int(row.ordinal))
        writer.member("shard", row.shard)
        writer.member("popularity", Double(row.popularity))
        if row.isHidden { writer.member("hidden", true) }
        if let admitted = row.admitted, admitted > 0 { writer.member("since", admitted) }
        if let history = row.history {
            writer.member("held", history.held)
            writer.member("seen", history.seen)
            writer.member("seen_complete", history.isSeenComplete)
        }
        if !row.attributes.isEmpty { write(attributes: row.attributes, row.history != nil ? engine.userAttributes : engine.itemAttributes, &writer) }
        writer.key("rows")
        writer.beginArray()
        for row in row.rows { write(row, &writer) }
        writer.endArray()
    }

    private func write(attributes: [(ordinal: UInt32, weight: Float)], _ table: EntityTable, _ writer: inout JSONWriter) {
        writer.key("attributes")
        writer.beginArray()
        for attribute in attributes {
            writer.beginObject()
            writer.member("attribute", engine.featureName(table, attribute.ordinal))
            writer.member("weight", Double(attribute.weight))
            writer.endObject()
        }
        writer.endArray()
    }

    private func write(_ row: RowInspection.Row, _ writer: inout JSONWriter) {
        writer.beginObject()
        writer.member("row", row.name)
        writer.member("weight", Double(row.weight))
        writer.member("norm", Double(row.norm))
        writer.member("updates", Int(row.updates))
        if let touched = row.touched { writer.member("touched", touched) }
        writer.member("weight_accumulator", Double(row.weightAccumulator))
        writer.member("factor_accumulator", Double(row.factorAccumulator))
        if let sum = row.gradientSum { writer.member("gradient_sum", Double(sum)) }
        write("factors", row.factors, &writer)
        if !row.accumulators.isEmpty { write("accumulators", row.accumulators, &writer) }
        writer.endObject()
    }

    private func write(_ name: StaticString, _ floats: [Float], _ writer: inout JSONWriter) {
        writer.key(name)
        writer.beginArray()
        for float in floats { writer.value(float) }
        writer.endArray()
    }
}
