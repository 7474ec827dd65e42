import Testing

@testable import FactordServer

@Suite("What a configuration read anew changes")
struct ConfigurationChangeTests {
    private func configuration(_ yaml: String) throws -> Configuration { try Configuration.load(yaml: yaml, file: "test").configuration }

    private func change(_ before: String, _ after: String) throws -> ConfigurationChange {
        try ConfigurationChange(from: configuration(before), to: configuration(after))
    }

    @Test("Live keys are in the effective configuration, all others stay as they were")
    func parts() throws {
        let change = try change(
            "model: {rank: 8, optimizer: {rate: 0.05}}\nstreams: [{name: a, endpoint: 'ipc://a'}]",
            "model: {rank: 8, negatives: {count: 5}, optimizer: {rate: 0.1, rate_item: 0.3}}\nstreams: [{name: a, endpoint: 'ipc://b'}, {name: c, endpoint: 'ipc://c'}]")
        #expect(change.live.map(\.path).contains("models[0].optimizer.rate") && change.live.map(\.path).contains("models[0].optimizer.rate_item"))
        #expect(change.waiting.map(\.path).contains("models[0].negatives.count") && change.waiting.map(\.path).contains("streams[0].endpoint"))
        #expect(change.waiting.map(\.path).contains("streams[1].name"))
        #expect(change.effective.models[0].optimizer.rateItem == 0.3 && change.effective.models[0].optimizer.rateUser == 0.1)
        #expect(change.effective.models[0].negatives.count == 8)
        #expect(change.effective.streams.map(\.endpoint) == ["ipc://a"])
        // What waits goes on waiting at the next reload, and nothing else.
        let again = try ConfigurationChange(from: change.effective, to: configuration("model: {rank: 8, optimizer: {rate: 0.1, rate_item: 0.3}}\nstreams: [{name: a, endpoint: 'ipc://a'}]"))
        #expect(again.live.isEmpty && again.waiting.isEmpty && again.effective == change.effective)
    }

    @Test("A part that goes or comes waits whole, its live keys with it")
    func modelsAndTypes() throws {
        let change = try change("models: [{name: a}, {name: b}]\nevents: {view: {label: 1}}", "models: [{name: a}]\nevents: {buy: {label: 1}}")
        #expect(change.live.isEmpty)
        #expect(change.waiting.map(\.path).contains("models[1].optimizer.rate") && change.waiting.map(\.path).contains("events.buy.label"))
        #expect(change.waiting.first { $0.path == "events.view.label" }?.after == nil)
    }

    @Test("Live keys that do not go with what waits are refused")
    func mixture() throws {
        #expect(throws: ConfigurationError.self) { try change("requests: {max_body: 1MiB}", "requests: {max_body: 8MiB, max_message: 16MiB}") }
    }

    @Test("Every live key can be changed so, one by one: the configuration's own list says which they are")
    func everyLiveKey() throws {
        let running = try configuration("")
        let live = running.everySetting.filter { $0.reload == .live }
        #expect(live.count >= 20)
        for setting in live {
            let flag = ConfigurationSources.Flag(path: setting.path, value: Self.other(setting.value), shown: "test")
            let new = try Configuration.load(yaml: "", file: "", ConfigurationSources(flags: [flag])).configuration
            let change = try ConfigurationChange(from: running, to: new)
            #expect(change.live.map(\.path).contains(setting.path), "\(setting.path)")
            #expect(change.waiting.isEmpty, "\(setting.path): \(change.waiting)")
            #expect(change.effective == new, "\(setting.path)")
        }
    }

    private static func other(_ value: String) -> String {
        switch value {
        case "true": "false"
        case "false": "true"
        case "info": "debug"
        case "5m": "7m"
        case "1MiB": "2MiB"
        case "64MiB": "32MiB"
        default: Int(value).map { "\($0 + 1)" } ?? Double(value).map { "\($0 + 0.25)" } ?? value
        }
    }
}
