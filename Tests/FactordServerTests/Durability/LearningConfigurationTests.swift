import Factorization
import Testing

@testable import FactordServer

/// The settings under which something was learned, kept as text.
@Suite("Learning configuration")
struct LearningConfigurationTests {
    @Test("Read back, a text gives the same engine and the same text; keys that do not matter are not in it")
    func roundTrip() throws {
        let yaml = """
            models:
              - {name: a, kind: mf, rank: 5, optimizer: {rate: 0.03}, negatives: {count: 3}}
              - {name: b, kind: ffm, rank: 4, fields: [hour], loss: squared}
            events: {"buy now": {label: 2.5, weight: 0.1}, "*": {label: value-or-3}}
            popularity: {half_life: 5000}
            memory: {budget: 1GiB}
            state: {sources: 77}
            """
        let configuration = try Configuration.load(yaml: yaml, file: "test").configuration
        let text = LearningConfiguration.text(configuration)
        let again = try LearningConfiguration.load(text, from: "text")
        #expect(LearningConfiguration.text(again) == text)
        #expect(again.models == configuration.models)
        #expect(again.events == configuration.events)
        #expect(again.state.sources == 77)
        var other = configuration
        other.streams[0].endpoint = "tcp://127.0.0.1:1"
        other.threads.trainers = 7
        other.log.level = .error
        other.state.directory = "/elsewhere"
        #expect(LearningConfiguration.text(other) == text)
        other.models[0].optimizer.rateUser = 0.5
        #expect(LearningConfiguration.text(other) != text)
        #expect(LearningConfiguration.changes(from: text, to: LearningConfiguration.text(other)) == ["rate_user: 0.5"])
    }
}
