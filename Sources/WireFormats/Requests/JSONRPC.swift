/// The envelopes of JSON-RPC 2.0.
public enum JSONRPC {
    /// Answers a body, single or batch, by the standard.
    ///
    /// `answer` is called for each request in turn and writes exactly one value, the result; where it throws, what it wrote
    /// is taken back and the error stands in its place. Notifications are carried out and what they wrote is dropped.
    /// - Parameter onError: called for every error, those that `answer` throws and those found before it; for counters.
    /// - Returns: Whether the writer, which is reset first, holds a reply to be sent. There is none to a notification, nor
    ///   to a batch of nothing else.
    public static func answer(
        _ body: UnsafeRawBufferPointer, with parser: JSONParser, batchLimit: Int = 1000, into writer: inout JSONWriter,
        onError: (JSONRPCError) -> Void = { _ in },
        _ answer: (JSONRPCRequest, inout JSONWriter) throws(JSONRPCError) -> Void
    ) -> Bool {
        writer.reset()
        let parsed: JSONRPCBody
        do throws(JSONRPCError) {
            parsed = try JSONRPCBody.parse(body, with: parser, batchLimit: batchLimit)
        } catch {
            onError(error)
            writer.reply(to: nil, error: error)
            return true
        }
        return self.answer(parsed, into: &writer, onError: onError, answer)
    }

    /// Answers a body that has been parsed; else as above.
    public static func answer(
        _ parsed: JSONRPCBody, into writer: inout JSONWriter, onError: (JSONRPCError) -> Void = { _ in },
        _ answer: (JSONRPCRequest, inout JSONWriter) throws(JSONRPCError) -> Void
    ) -> Bool {
        writer.reset()
        switch parsed {
        case .single(let request):
            return reply(to: request, into: &writer, onError, answer)
        case .batch(let elements):
            var isDue = false
            writer.beginArray()
            for element in elements {
                let replied = reply(to: JSONRPCRequest.read(element), into: &writer, onError, answer)
                isDue = isDue || replied
            }
            writer.endArray()
            if !isDue { writer.reset() }
            return isDue
        }
    }

    private static func reply(
        to element: JSONRPCElement, into writer: inout JSONWriter, _ onError: (JSONRPCError) -> Void,
        _ answer: (JSONRPCRequest, inout JSONWriter) throws(JSONRPCError) -> Void
    ) -> Bool {
        let mark = writer.mark
        switch element {
        case .fault(let id, let error):
            onError(error)
            writer.reply(to: id, error: error)
            return true
        case .request(let request):
            do throws(JSONRPCError) {
                writer.beginReply(to: request.id)
                try answer(request, &writer)
                writer.endObject()
            } catch {
                onError(error)
                writer.rewind(to: mark)
                writer.reply(to: request.id, error: error)
            }
            if request.isNotification { writer.rewind(to: mark) }
            return !request.isNotification
        }
    }
}

extension JSONWriter {
    /// Opens `{"jsonrpc":"2.0","id":…,"result":`; write one value, then `endObject`.
    public mutating func beginReply(to id: JSONValue?) {
        envelope(id)
        key("result")
    }

    /// A whole error reply. Without an id it says `null`.
    public mutating func reply(to id: JSONValue?, error: JSONRPCError) {
        envelope(id)
        key("error")
        value(error)
        endObject()
    }

    private mutating func envelope(_ id: JSONValue?) {
        begin(#"{"jsonrpc":"2.0","id":"#)
        if let id { value(id) } else { null() }
    }
}
