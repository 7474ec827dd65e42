extension JSONRPC {
    /// Answers a call whose method is known and whose body holds the parameters: an object, or nothing at all.
    ///
    /// - Throws: what `answer` throws, -32700 for what is not JSON, -32001 over the parser's limit, -32602 for anything but an
    ///   object. Otherwise the writer, which is reset first, holds the result.
    public static func call(
        _ method: String, parameters: ArraySlice<UInt8>, with parser: JSONParser, into writer: inout JSONWriter,
        _ answer: (JSONRPCRequest, inout JSONWriter) throws(JSONRPCError) -> Void
    ) throws(JSONRPCError) {
        writer.reset()
        var params: JSONValue?
        if parameters.contains(where: { $0 != 0x20 && $0 != 0x0A && $0 != 0x0D && $0 != 0x09 }) {
            do throws(JSONError) {
                params = try parser.parse(parameters)
            } catch {
                if case .tooLarge(let bytes, let limit) = error { throw .tooLarge(bytes: bytes, limit: limit) }
                throw .parseError(error.description)
            }
            if params?.isNull == true { params = nil }
            guard params?.isObject != false else { throw .invalidParams("the body: an object of parameters is expected") }
        }
        let name = Array(method.utf8)
        try name.withUnsafeBufferPointer { name throws(JSONRPCError) in
            try answer(JSONRPCRequest(id: nil, method: UnsafeRawBufferPointer(name), params: params), &writer)
        }
    }
}

extension JSONParser {
    /// Parses bytes of an array.
    public func parse(_ text: ArraySlice<UInt8>) throws(JSONError) -> JSONValue {
        try text.withUnsafeBufferPointer { text throws(JSONError) in try parse(UnsafeRawBufferPointer(text)) }
    }
}

extension JSONWriter {
    /// `{"code":…,"message":…}`
    public mutating func value(_ error: JSONRPCError) {
        beginObject()
        key("code")
        value(error.code)
        key("message")
        value(error.message)
        endObject()
    }

    /// A value that is JSON already.
    public mutating func raw(text json: String) { json.withUTF8Bytes { raw($0) } }
}
