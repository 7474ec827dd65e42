import Factorization
import Foundation
import Persistence
import Synchronization
import Testing

@testable import FactordServer

@Suite("Choice of models")
struct ModelChoiceTests {
    private let engine: Engine = {
        Engine(settings: EngineSettings(models: ["main", "b", "c"].map { ModelSettings(name: $0, rank: 4) }))
    }()

    private func choice(_ split: [String: Double], name: String = "experiment") -> ModelChoice {
        var experiment = Configuration.Experiment()
        experiment.name = name
        experiment.split = split
        return ModelChoice(experiment, engine: engine)
    }

    private func key(_ id: String) -> Key {
        // Leaked on purpose: a key borrows its text.
        let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: id.utf8.count, alignment: 1)
        bytes.copyBytes(from: id.utf8)
        return IdPolicy.canonical.key(text: UnsafeRawBufferPointer(bytes), hashing: engine.hashing)
    }

    @Test("Places are those that the documented formula gives; the figures come from a program in another language", arguments: [
        ("experiment", "1", 60.077049949530846), ("experiment", "ann", 10.375188722301976), ("summer", "-7", 20.604857263975738),
        ("summer", "Zoë", 50.753940163660296),
    ])
    func places(_ name: String, _ id: String, _ expected: Double) {
        #expect(ModelChoice.place(of: key(id), name: Array(name.utf8)) == expected)
    }

    @Test("Shares are kept, whatever the hashing of ids, and another name deals anew")
    func shares() {
        let choice = choice(["main": 70, "b": 20, "c": 10]), other = self.choice(["main": 70, "b": 20, "c": 10], name: "other")
        var counts = [0, 0, 0], moved = 0
        for user in 0..<20_000 {
            let id = key("u\(user)"), model = choice.model(for: id)
            counts[model] += 1
            if other.model(for: id) != model { moved += 1 }
        }
        // Five deviations.
        for (count, share) in zip(counts, [0.7, 0.2, 0.1]) {
            let expected = 20_000 * share
            #expect(abs(Double(count) - expected) < 5 * (expected * (1 - share)).squareRoot(), "\(counts)")
        }
        // Independent: 1 − Σ share².
        #expect(abs(Double(moved) - 20_000 * 0.46) < 400, "\(moved)")
        #expect(self.choice(["c": 100]).model(for: key("x")) == 2)
        #expect(self.choice([:]).model(for: key("x")) == 0)
    }

    @Test("After a promotion the first model's share is the promoted one's; the others keep theirs")
    func promotion() {
        let choice = choice(["main": 50, "c": 50]), ids = (0..<200).map { key("u\($0)") }
        let before = ids.map(choice.model)
        let batch = EventBatch(recordCapacity: 1, textCapacity: 1024)
        #expect(batch.appendPromotion(of: "b", hashing: engine.hashing))
        engine.learnNow(batch)
        #expect(choice.standard == 1)
        #expect(ids.map(choice.model) == before.map { $0 == 0 ? 1 : $0 })
        #expect(Set(before) == [0, 2])
    }
}

@Suite("Log of explorations")
struct ExplorationLogTests {
    private func folder() -> String { NSTemporaryDirectory() + "factord-explorations-\(UUID().uuidString.prefix(8))" }

    private func settings(_ folder: String) -> Configuration.Explorations.Log {
        var settings = Configuration.Explorations.Log()
        settings.directory = folder
        settings.bytes = ByteSize(bytes: 65_536)
        settings.files = 2
        return settings
    }

    @Test("Lines come whole, in files of bounded size and number that nobody else may read; an id can be erased")
    func files() throws {
        let folder = folder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let log = try ExplorationLog(settings(folder))
        try log.start()
        for number in 0..<3000 { log.append(Array(#"{"user":"u\#(number)","items":[{"item":"quo\"ted"}],"filler":"\#(String(repeating: "x", count: 40))"}"#.utf8)) }
        log.stop()
        #expect(log.counts.written == 3000 && log.counts.lost == 0 && log.dropped.load(ordering: .relaxed) == 0)
        let names = try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
        #expect(names == ["explorations.jsonl", "explorations.jsonl.1"])
        for name in names {
            let attributes = try FileManager.default.attributesOfItem(atPath: "\(folder)/\(name)")
            #expect(attributes[.posixPermissions] as? Int == 0o600)
            #expect((attributes[.size] as? Int ?? .max) <= 65_536)
        }
        func text() -> String { String(decoding: FileManager.default.contents(atPath: "\(folder)/explorations.jsonl") ?? Data(), as: UTF8.self) }
        #expect(text().contains("\"u2999\""))
        #expect(try log.removeLines(holding: Array("u2999".utf8)) == 1)
        #expect(!text().contains("\"u2999\"") && text().contains("\"u2998\""))
        #expect(try log.removeLines(holding: Array("quo\"ted".utf8)) > 100)
        #expect(text().isEmpty)
    }

    @Test("What memory has no room for is counted, and whoever answers does not wait")
    func room() throws {
        let folder = folder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        // No thread is there to write.
        let log = try ExplorationLog(settings(folder)), line = [UInt8](repeating: 0x78, count: 1 << 20)
        for _ in 0..<10 { log.append(line) }
        #expect(log.dropped.load(ordering: .relaxed) == 6)
    }
}
