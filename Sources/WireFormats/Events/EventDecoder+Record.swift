import Factorization

/// One JSON object to one record.
extension EventDecoder {
    /// The values of the keys that records know; nil where absent or `null`.
    struct Fields {
        var user, item, type, value, weight, time, context: JSONValue?
        var command: (kind: Command, body: JSONValue)?
        var attributes, id, expires: JSONValue?
        var commandCount = 0
    }

    enum Command { case entity, hide, unhide, forget, undo, beat }

    @inline(__always)
    static func fields(of object: JSONValue) -> Fields {
        var fields = Fields()
        var members = JSONMembers(of: object)
        while let (key, value) = members.next() {
            if value.isNull { continue }
            switch KeyWord.of(key) {
            case KeyWord.user: fields.user = value
            case KeyWord.item: fields.item = value
            case KeyWord.value: fields.value = value
            case KeyWord.type: fields.type = value
            case KeyWord.time: fields.time = value
            case KeyWord.weight: fields.weight = value
            case KeyWord.context: fields.context = value
            case KeyWord.id: fields.id = value
            case KeyWord.expires: fields.expires = value
            case KeyWord.entity: fields.set(.entity, value)
            case KeyWord.hide: fields.set(.hide, value)
            case KeyWord.unhide: fields.set(.unhide, value)
            case KeyWord.forget: fields.set(.forget, value)
            case KeyWord.undo: fields.set(.undo, value)
            case KeyWord.beat: fields.set(.beat, value)
            default: if key.equals("attributes") { fields.attributes = value }
            }
        }
        return fields
    }

    func decodeRecord(_ value: JSONValue, into batch: EventBatch, isAlone: Bool) throws(DecodeFailure) {
        guard batch.recordCount < batch.recordCapacity else { throw .full }
        guard value.isObject else { throw .rejected(.notAnObject, "a record is a JSON object") }
        let fields = EventDecoder.fields(of: value)
        if fields.command != nil { return try decodeCommand(fields, into: batch, isAlone: isAlone) }
        var record = EventRecord(
            kind: .interaction, user: try userKey(fields.user, batch), item: try itemKey(fields.item, batch))
        if let type = fields.type { record.type = try typeText(type, batch) }
        if let value = fields.value {
            guard let number = value.double, number.magnitude <= EventLimits.greatestValue else {
                throw .rejected(.badValue, "value: not a number of magnitude up to 1e9")
            }
            record.value = Float(number)
            record.hasValue = true
        }
        if let weight = fields.weight {
            guard let number = weight.double, number >= 0, number <= EventLimits.greatestWeight else {
                throw .rejected(.badWeight, "weight: not a number from 0 to 1e6")
            }
            record.weight = Float(number)
        }
        if let time = fields.time { record.timeMilliseconds = try milliseconds(time) }
        if let context = fields.context {
            record.firstFeature = UInt32(batch.featureCount)
            record.featureCount = try appendFeatures(context, .badContext, batch)
        }
        guard batch.append(record) else { throw .full }
    }

    private func decodeCommand(_ fields: Fields, into batch: EventBatch, isAlone: Bool) throws(DecodeFailure) {
        guard let (kind, body) = fields.command else { return }
        guard fields.commandCount == 1 else {
            throw .rejected(.badCommand, "one record holds one of entity, hide, unhide, forget, undo, beat")
        }
        if kind == .entity { return try decodeEntity(fields, name: body, into: batch) }
        guard body.isObject else {
            throw .rejected(kind == .beat ? .badBeat : .badCommand, "a command's value is an object")
        }
        let inner = EventDecoder.fields(of: body)
        var record = EventRecord(kind: .beat, user: noKey, item: noKey)
        switch kind {
        case .hide, .unhide:
            record.kind = kind == .hide ? .hideItem : .unhideItem
            record.item = try itemKey(inner.item, batch)
        case .forget:
            guard (inner.user == nil) != (inner.item == nil) else {
                throw .rejected(.badCommand, "forget: needs either user or item")
            }
            if inner.user != nil {
                record.kind = .forgetUser
                record.user = try userKey(inner.user, batch)
            } else {
                record.kind = .forgetItem
                record.item = try itemKey(inner.item, batch)
            }
        case .undo:
            record.kind = .undo
            record.user = try userKey(inner.user, batch)
            record.item = try itemKey(inner.item, batch)
            if let type = inner.type { record.type = try typeText(type, batch) }
        case .beat, .entity:
            guard isAlone else { throw .rejected(.badBeat, "beat: must be a message of its own") }
        }
        guard batch.append(record) else { throw .full }
    }

    private func decodeEntity(_ fields: Fields, name: JSONValue, into batch: EventBatch) throws(DecodeFailure) {
        guard let bytes = name.stringBytes, bytes.equals("item") || bytes.equals("user") else {
            throw .rejected(.badEntity, "entity: neither \"item\" nor \"user\"")
        }
        let isItem = bytes.equals("item")
        guard let id = fields.id else { throw .rejected(.badEntity, "id: missing") }
        let key = try self.key(id, batch, .badEntity, "id: not a string of 1 to 1024 bytes or an integer")
        guard let attributes = fields.attributes else { throw .rejected(.badAttributes, "attributes: missing") }
        var record = EventRecord(
            kind: isItem ? .itemAttributes : .userAttributes, user: isItem ? noKey : key, item: isItem ? key : noKey)
        record.firstFeature = UInt32(batch.featureCount)
        record.featureCount = try appendFeatures(attributes, .badAttributes, batch)
        if let expires = fields.expires {
            guard isItem else { throw .rejected(.badEntity, "expires: only items expire") }
            record.timeMilliseconds = try milliseconds(expires)
        }
        guard batch.append(record) else { throw .full }
    }
}

extension EventDecoder.Fields {
    mutating func set(_ kind: EventDecoder.Command, _ body: JSONValue) {
        command = (kind, body)
        commandCount += 1
    }
}
