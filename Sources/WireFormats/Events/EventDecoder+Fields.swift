import Factorization

/// Ids, times, types and features out of JSON values.
extension EventDecoder {
    @inline(__always)
    func userKey(_ value: JSONValue?, _ batch: EventBatch) throws(DecodeFailure) -> Key {
        guard let value else { throw .rejected(.missingUser, "user: missing") }
        return try key(value, batch, .badUser, "user: not a string of 1 to 1024 bytes or an integer")
    }

    @inline(__always)
    func itemKey(_ value: JSONValue?, _ batch: EventBatch) throws(DecodeFailure) -> Key {
        guard let value else { throw .rejected(.missingItem, "item: missing") }
        return try key(value, batch, .badItem, "item: not a string of 1 to 1024 bytes or an integer")
    }

    /// The key of an id. An integer past Int64 becomes its decimal text where ids are canonical (so it is one id with that
    /// text) and is refused where they are exact, which could not tell the two apart.
    @inline(__always)
    func key(
        _ value: JSONValue, _ batch: EventBatch, _ reason: RejectionReason, _ detail: StaticString
    ) throws(DecodeFailure) -> Key {
        if let integer = value.int64 { return Key(integer: integer, hashing: hashing) }
        if let bytes = value.stringBytes { return try key(text: bytes, batch, reason, detail) }
        if let large = value.uint64 { return try key(large: large, batch, reason, detail) }
        throw .rejected(reason, detail)
    }

    @inline(__always)
    func key(
        text: UnsafeRawBufferPointer, _ batch: EventBatch, _ reason: RejectionReason, _ detail: StaticString
    ) throws(DecodeFailure) -> Key {
        guard text.count >= 1, text.count <= Key.longestText else { throw .rejected(reason, detail) }
        if isCanonical, let integer = IdPolicy.canonicalInteger(text) { return Key(integer: integer, hashing: hashing) }
        guard let range = batch.copyText(text) else { throw .full }
        return Key(text: batch.text(range), hashing: hashing)
    }

    @inline(never)
    func key(
        large: UInt64, _ batch: EventBatch, _ reason: RejectionReason, _ detail: StaticString
    ) throws(DecodeFailure) -> Key {
        if let integer = Int64(exactly: large) { return Key(integer: integer, hashing: hashing) }
        guard isCanonical else { throw .rejected(reason, detail) }
        guard let range = String(large).withUTF8Bytes({ batch.copyText($0) }) else { throw .full }
        return Key(text: batch.text(range), hashing: hashing)
    }

    @inline(__always)
    func typeText(_ value: JSONValue, _ batch: EventBatch) throws(DecodeFailure) -> TextRange {
        guard let bytes = value.stringBytes, bytes.count >= 1, bytes.count <= EventLimits.longestName else {
            throw .rejected(.badType, "type: not a string of 1 to 128 bytes")
        }
        guard let range = batch.copyText(bytes) else { throw .full }
        return range
    }

    @inline(__always)
    func milliseconds(_ value: JSONValue) throws(DecodeFailure) -> Int64 {
        let time: Int64? =
            if let integer = value.int64 {
                EventTime.milliseconds(integer)
            } else if let bytes = value.stringBytes {
                EventTime.milliseconds(rfc3339: bytes)
            } else if let number = value.double {
                EventTime.milliseconds(number)
            } else {
                nil
            }
        guard let time else {
            throw .rejected(.badTime, "time: neither RFC 3339 text nor unix seconds or milliseconds up to the year 9999")
        }
        return time
    }

    /// Appends the features of a context or of attributes, and answers how many. Under each field may stand:
    /// * a string or an integer: one categorical feature of weight 1; `true` and `false` are the texts of that name;
    /// * a number with fraction or exponent (`0.5`, `12.0`): one numeric feature, whose key is the integer 0 and whose
    ///   weight is the number; a field should be one or the other, always;
    /// * a list of the former, each a feature of weight 1 (no numeric ones);
    /// * an object value → weight: one categorical feature for each, with its weight.
    /// `null` is as absent, in lists and as a weight too.
    func appendFeatures(
        _ context: JSONValue, _ reason: RejectionReason, _ batch: EventBatch
    ) throws(DecodeFailure) -> UInt16 {
        guard context.isObject else { throw .rejected(reason, "context or attributes: not an object") }
        let first = batch.featureCount
        for (name, value) in JSONMembers(of: context) where !value.isNull {
            guard name.count >= 1, name.count <= EventLimits.longestName else {
                throw .rejected(reason, "a field's name is 1 to 128 bytes long")
            }
            guard let field = batch.copyText(name) else { throw .full }
            if let elements = value.elements {
                for element in elements where !element.isNull {
                    try append(field, try featureKey(element, batch, reason), 1, since: first, batch)
                }
            } else if let members = value.members {
                for (text, weight) in members where !weight.isNull {
                    guard let number = weight.double else { throw .rejected(reason, "a feature's weight is a number") }
                    let value = try key(text: text, batch, reason, badFeature)
                    try append(field, value, try featureWeight(number, reason), since: first, batch)
                }
            } else if value.kind == .double, let number = value.double {
                try append(field, noKey, try featureWeight(number, reason), isNumber: true, since: first, batch)
            } else {
                try append(field, try featureKey(value, batch, reason), 1, since: first, batch)
            }
        }
        return UInt16(batch.featureCount - first)
    }

    private var badFeature: StaticString { "a feature's value is a string of 1 to 1024 bytes, an integer or a boolean" }

    private func featureKey(_ value: JSONValue, _ batch: EventBatch, _ reason: RejectionReason) throws(DecodeFailure) -> Key {
        guard let flag = value.bool else { return try key(value, batch, reason, badFeature) }
        let name: StaticString = flag ? "true" : "false"
        return try key(
            text: UnsafeRawBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount), batch, reason, badFeature)
    }

    @inline(__always)
    func featureWeight(_ number: Double, _ reason: RejectionReason) throws(DecodeFailure) -> Float {
        guard number.magnitude <= EventLimits.greatestValue else {
            throw .rejected(reason, "a feature's weight is of magnitude up to 1e9")
        }
        return Float(number)
    }

    func append(
        _ field: TextRange, _ value: Key, _ weight: Float, isNumber: Bool = false, since first: Int, _ batch: EventBatch
    ) throws(DecodeFailure) {
        guard batch.featureCount - first < limits.features else {
            throw .rejected(.tooManyFeatures, "more context features or attributes than the limit")
        }
        guard batch.append(FeatureEntry(field: field, value: value, weight: weight, isNumber: isNumber)) else { throw .full }
    }
}
