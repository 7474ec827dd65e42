import WireFormats

/// The OpenAPI 3.1 document of the HTTP side, made of the table of methods.
enum OpenAPIDocument {
    static func json() -> [UInt8] {
        var writer = JSONWriter(capacity: 1 << 14)
        writer.beginObject()
        writer.member("openapi", "3.1.0")
        writer.key("info")
        writer.beginObject()
        writer.member("title", "factord")
        writer.member("version", "1")
        writer.member("description", "Scores and recommendations from factorisation machines that learn online. All methods here only read.")
        writer.endObject()
        writer.key("paths")
        writer.beginObject()
        for method in MethodDescription.all where method.place == .requests { write(method, &writer) }
        for page in HTTPRoutes.pages { write(page, &writer) }
        writer.endObject()
        writer.key("components")
        writer.beginObject()
        writer.key("schemas")
        writer.beginObject()
        writer.key("Error")
        raw(
            #"{"type":"object","required":["error"],"properties":{"error":{"type":"object","required":["code","message"],"properties":{"code":{"type":"integer","description":"A code of JSON-RPC, or one of factord's own from -32004 to -32001"},"message":{"type":"string","description":"Names what was at fault"}}}}}"#,
            &writer)
        writer.endObject()
        writer.endObject()
        writer.endObject()
        return Array(writer.bytes)
    }

    private static func raw(_ json: String, _ writer: inout JSONWriter) { writer.raw(text: json) }

    private static func write(_ method: MethodDescription, _ writer: inout JSONWriter) {
        writer.key("/v1/\(method.name)")
        writer.beginObject()
        writer.key("post")
        writer.beginObject()
        writer.member("operationId", method.name)
        writer.member("summary", method.summary)
        writer.key("requestBody")
        writer.beginObject()
        writer.member("required", false)
        content(&writer) { writer in
            writer.key("schema")
            writer.beginObject()
            writer.member("type", "object")
            writer.key("properties")
            writer.beginObject()
            for parameter in method.parameters {
                writer.key(parameter.name)
                // The description goes into the parameter's own schema, which is an object with members.
                raw(#"{"description":\#(quoted(parameter.meaning)),"# + parameter.schema.dropFirst(), &writer)
            }
            writer.endObject()
            writer.endObject()
            writer.key("example")
            raw(method.asks, &writer)
        }
        writer.endObject()
        writer.key("responses")
        writer.beginObject()
        writer.key("200")
        writer.beginObject()
        writer.member("description", "The result")
        content(&writer) { writer in
            writer.key("schema")
            raw(#"{"type":"object"}"#, &writer)
            writer.key("example")
            raw(method.answers, &writer)
        }
        writer.endObject()
        for (status, meaning) in errors {
            writer.key(status)
            writer.beginObject()
            writer.member("description", meaning)
            content(&writer) { writer in
                writer.key("schema")
                raw(##"{"$ref":"#/components/schemas/Error"}"##, &writer)
            }
            writer.endObject()
        }
        writer.endObject()
        writer.endObject()
        writer.endObject()
    }

    /// Statuses of answers that are an error of JSON-RPC.
    private static let errors = [
        ("400", "No JSON, or a parameter that is missing, of a wrong type or out of range; the message names it"), ("413", "A body over the limit"),
        ("500", "The daemon failed"), ("503", "Busy, or not ready yet; try again"), ("504", "The deadline passed"),
    ]

    private static func write(_ page: HTTPRoutes.Page, _ writer: inout JSONWriter) {
        writer.key(page.path)
        writer.beginObject()
        writer.key("get")
        writer.beginObject()
        writer.member("operationId", page.path == "/" ? "dashboard" : page.path.filter(\.isLetter))
        writer.member("summary", page.summary)
        writer.key("responses")
        writer.beginObject()
        for (status, meaning) in page.answers {
            writer.key(status)
            writer.beginObject()
            writer.member("description", meaning)
            content(&writer, page.type) { writer in
                writer.key("schema")
                raw(page.type == "application/json" ? #"{"type":"object"}"# : #"{"type":"string"}"#, &writer)
            }
            writer.endObject()
        }
        writer.endObject()
        writer.endObject()
        writer.endObject()
    }

    private static func content(_ writer: inout JSONWriter, _ type: String = "application/json", _ body: (inout JSONWriter) -> Void) {
        writer.key("content")
        writer.beginObject()
        writer.key(type)
        writer.beginObject()
        body(&writer)
        writer.endObject()
        writer.endObject()
    }

    private static func quoted(_ text: String) -> String {
        var writer = JSONWriter()
        writer.value(text)
        return writer.string
    }
}
