import Foundation
import Testing
import WireFormats

@testable import FactordServer

/// The table of methods, the methods themselves, and the documents made of the table, held together.
@Suite("Methods: one table")
struct MethodTableTests {
    private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    /// The methods that a file of methods answers: what is compared with the method's name.
    private func answered(_ file: String) throws -> Set<String> {
        let text = try String(contentsOf: MethodTableTests.root.appendingPathComponent("Sources/FactordServer/Requests/\(file).swift"), encoding: .utf8)
        // Every name of a case, and what stands before the switch.
        let named = text.matches(of: #/case ((?:"\w+"(?:, )?)+):/#).flatMap { $0.output.1.matches(of: #/"(\w+)"/#).map { String($0.output.1) } }
        return Set(named + text.matches(of: #/request\.method\.equals\("(\w+)"\)/#).map { String($0.output.1) })
    }

    @Test("Every method that is answered is in the table, and none besides")
    func table() throws {
        let names = { (place: MethodDescription.Place) in MethodDescription.all.filter { $0.place == place }.map(\.name) }
        #expect(try answered("QueryMethods") == Set(names(.requests)))
        // Whoever has the admin socket may ask there, too, whether it answers.
        #expect(try answered("AdminMethods").subtracting(["ping"]) == Set(names(.admin)))
        #expect(Set(names(.requests)).count == names(.requests).count && Set(names(.admin)).count == names(.admin).count)
    }

    @Test("Every method stands in the description of requests")
    func description() throws {
        let text = try String(contentsOf: MethodTableTests.root.appendingPathComponent("Sources/FactordServer/Requests/README.md"), encoding: .utf8)
        for method in MethodDescription.all {
            let hasRow = text.split(separator: "\n").contains { $0.hasPrefix("| ") && $0.split(separator: "|")[0].contains("`\(method.name)`") }
            #expect(hasRow, "\(method.name)")
            for parameter in method.parameters { #expect(text.contains("`\(parameter.name)`"), "\(method.name): \(parameter.name)") }
        }
    }

    @Test("The OpenAPI document describes all methods that only read, and is whole")
    func openAPI() throws {
        let document = try #require(try JSONSerialization.jsonObject(with: Data(OpenAPIDocument.json())) as? [String: Any])
        #expect(document["openapi"] as? String == "3.1.0")
        let information = try #require(document["info"] as? [String: Any])
        #expect(information["title"] is String && information["version"] is String)
        let paths = try #require(document["paths"] as? [String: [String: Any]])
        let read = MethodDescription.all.filter { $0.place == .requests }
        #expect(Set(paths.keys) == Set(read.map { "/v1/\($0.name)" } + HTTPRoutes.pages.map(\.path)))
        var identities: Set<String> = []
        for (path, item) in paths {
            let operation = try #require((item["post"] ?? item["get"]) as? [String: Any], "\(path)")
            #expect(identities.insert(try #require(operation["operationId"] as? String)).inserted)
            let responses = try #require(operation["responses"] as? [String: [String: Any]], "\(path)")
            #expect(responses["200"] != nil)
            for (status, response) in responses {
                #expect(Int(status) != nil && response["description"] is String)
                for (_, content) in try #require(response["content"] as? [String: [String: Any]]) { #expect(content["schema"] is [String: Any]) }
            }
        }
        for method in read {
            let operation = try #require(paths["/v1/\(method.name)"]?["post"] as? [String: Any])
            let content = try #require((operation["requestBody"] as? [String: Any])?["content"] as? [String: [String: Any]])
            let body = try #require(content["application/json"])
            let schema = try #require(body["schema"] as? [String: Any])
            let properties = try #require(schema["properties"] as? [String: [String: Any]])
            #expect(Set(properties.keys) == Set(method.parameters.map(\.name)))
            for (name, property) in properties { #expect(property["description"] is String && property.count > 1, "\(method.name).\(name)") }
            let example = try #require(body["example"] as? [String: Any])
            #expect(Set(example.keys).isSubset(of: properties.keys), "\(method.name): \(example)")
        }
        // Each reference leads somewhere.
        let text = String(decoding: OpenAPIDocument.json(), as: UTF8.self)
        let components = try #require((document["components"] as? [String: Any])?["schemas"] as? [String: Any])
        for reference in text.matches(of: #/"\$ref":"#/components/schemas/(\w+)"/#) { #expect(components[String(reference.output.1)] != nil) }
    }

    @Test("Before the state is recovered the daemon lives and is not ready, and says why")
    func recovering() throws {
        let routes = HTTPRoutes(maxBody: 1 << 20)
        func ask(_ method: String, _ path: String) throws -> HTTPResponse {
            let request = HTTPRequest(method: method, path: path, isKeptAlive: true)
            guard case .response(let response) = routes.answer(request, [], isFinal: false) else { throw JSONRPCError.internalError("it waits") }
            return response
        }
        #expect(try ask("GET", "/livez").status == 200)
        let ready = try ask("GET", "/readyz")
        #expect(ready.status == 503 && String(decoding: ready.body, as: UTF8.self).contains("recovering"))
        let score = try ask("POST", "/v1/score")
        #expect(score.status == 503 && String(decoding: score.body, as: UTF8.self).contains("-32004"))
        #expect(String(decoding: try ask("GET", "/metrics").body, as: UTF8.self).contains("factord_ready 0"))
    }
}
