// Asks factord over HTTP: ask URL METHOD [PARAMETERS]
//   swiftc -O ask.swift && ./ask http://127.0.0.1:5562 score '{"user": "ann", "items": ["alien", "brazil"]}'
import Foundation
#if canImport(FoundationNetworking)
import FoundationNetworking
#endif

struct Answer: Decodable {
    struct Failure: Decodable, Error { let code: Int, message: String }
    let error: Failure?
}

/// The result as JSON; throws what the daemon says is wrong.
func ask(_ place: URL, _ method: String, _ parameters: Data) async throws -> Data {
    var request = URLRequest(url: place.appendingPathComponent("v1/\(method)"), timeoutInterval: 10)
    request.httpMethod = "POST"
    request.httpBody = parameters
    let (data, _) = try await URLSession.shared.data(for: request)
    if let failure = try JSONDecoder().decode(Answer.self, from: data).error { throw failure }
    return data
}

@main
struct Ask {
    static func main() async {
        let arguments = CommandLine.arguments
        guard arguments.count >= 3, let place = URL(string: arguments[1]) else {
            FileHandle.standardError.write(Data("usage: ask URL METHOD [PARAMETERS]\n".utf8))
            exit(64)
        }
        do {
            let answer = try await ask(place, arguments[2], Data((arguments.count > 3 ? arguments[3] : "{}").utf8))
            print(String(decoding: answer, as: UTF8.self))
        } catch {
            FileHandle.standardError.write(Data("\(error)\n".utf8))
            exit(1)
        }
    }
}
