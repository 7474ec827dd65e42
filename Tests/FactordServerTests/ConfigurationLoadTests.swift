import Factorization
import Foundation
import Testing

@testable import FactordServer

@Suite("Configuration: values")
struct ConfigurationLoadTests {
    private func load(_ yaml: String, environment: [String: String] = [:], flags: [(String, String)] = []) throws -> Configuration {
        let sources = ConfigurationSources(
            environment: environment, flags: flags.map { .init(path: $0.0, value: $0.1, shown: "--set \($0.0)=\($0.1)") })
        return try Configuration.load(yaml: yaml, file: "test.yaml", sources).configuration
    }

    @Test("No file, an empty one and one of comments give the defaults", arguments: ["", "# nothing\n", "streams:\nmodel:\nstate: ~\n", "{}"])
    func defaults(yaml: String) throws {
        let configuration = try load(yaml)
        #expect(configuration.streams == [Configuration.Stream()])
        #expect(configuration.models == [Configuration.Model()])
        #expect(configuration.requests.endpoints == ["tcp://127.0.0.1:5561", "ipc://./factord-state/requests.sock"])
        #expect(configuration.admin.endpoint == "ipc://./factord-state/admin.sock")
        #expect(configuration.state.deadLetters.directory == "./factord-state/dead-letters")
        #expect(configuration.models[0].negatives.count == 8)
        #expect(configuration.events["*"]?.label == .valueOr(1))
    }

    static let example = """
        streams:
          - {name: clicks, endpoint: "tcp://127.0.0.1:7000", pattern: sub, mode: connect, topics: [web, "0x1", ""], high_water_mark: 5}
          - {name: ratings, endpoint: "ipc:///run/factord/r.sock", max_message: 64 KiB}
        requests: {endpoints: ["tcp://127.0.0.1:*"], max_body: 100kB}
        state: {directory: "/var/lib/a \\"b\\"", snapshot: {interval: 1h30m, keep: 7, on_shutdown: no}}
        ids: exact
        models:
          - {name: a, kind: fm, rank: 7, seed: 18446744073709551615, optimizer: {kind: sgd, rate_item: 0.125}, regularization: {user: 1e-7}}
          - {loss: squared, rank: 16, optimizer: {rate: 0.3, rate_user: 0.2}, negatives: {verified: false}}
        events:
          rating: {label: value}
          view: {label: 0, weight: 0.25, seen: false}
          "null": {label: value-or-2.5}
          "a: b #": {label: -1}
        log: {level: debug, format: json}
        """

    @Test("Every kind of value is read")
    func values() throws {
        let configuration = try load(Self.example)
        #expect(configuration.streams.map(\.name) == ["clicks", "ratings"])
        #expect(configuration.streams[0].topics == ["web", "0x1", ""])
        #expect(configuration.streams[0].pattern == .sub)
        #expect(configuration.streams[1].maxMessage.bytes == 65_536)
        #expect(configuration.requests.maxBody.bytes == 100_000)
        #expect(configuration.state.directory == "/var/lib/a \"b\"")
        #expect(configuration.state.snapshot.interval == TimeSpan(seconds: 5400))
        #expect(!configuration.state.snapshot.onShutdown)
        #expect(configuration.ids == .exact)
        #expect(configuration.models[0].seed == .max)
        #expect(configuration.models[1].name == "model-2")
        #expect(configuration.events["view"]?.label == .constant(0))
        #expect(configuration.events["view"]?.seen == false)
        #expect(configuration.events["rating"]?.label == .value)
        #expect(configuration.events["null"]?.label == .valueOr(2.5))
        #expect(configuration.events["*"] == Configuration.Event())
    }

    @Test("Defaults that follow from other keys")
    func dependentDefaults() throws {
        let models = try load(Self.example).models
        #expect(models[0].negatives.count == 8)
        #expect(models[0].initialDeviation == 0.3 / Float(7).squareRoot())
        #expect(models[0].optimizer.rate == 0.07)
        #expect(models[0].optimizer.rateItem == 0.125)
        #expect(models[0].optimizer.rateWeight == 1.5 * Float(0.07))
        #expect(models[1].negatives == { var negatives = Configuration.Negatives(count: 0); negatives.verified = false; return negatives }())
        #expect(models[1].optimizer.rateItem == 0.3)
        #expect(models[1].optimizer.rateUser == 0.2)
        #expect(try load("model: {loss: squared, negatives: {count: 3}}").models[0].negatives.count == 3)
    }

    @Test("Threads by the number of processors", arguments: [
        (1, 1, 1), (2, 1, 1), (3, 1, 1), (4, 2, 1), (8, 4, 2), (15, 7, 3), (16, 8, 4), (64, 8, 4),
    ])
    func threads(processors: Int, half: Int, quarter: Int) {
        #expect(Configuration.Threads.trainers(processors: processors) == half)
        #expect(Configuration.Threads.scorers(processors: processors) == half)
        #expect(Configuration.Threads.receivers(processors: processors) == quarter)
    }

    @Test("Optimizer, history and rates follow from kind, loss and what stands for the unobserved")
    func modelDefaults() throws {
        func model(_ yaml: String) throws -> Configuration.Model { try load("model: {\(yaml)}").models[0] }
        let implicit = try model(""), ratings = try model("loss: squared"), pairs = try model("kind: fm")
        #expect(implicit.history.length == 20 && implicit.optimizer.kind == .sgd)
        #expect(ratings.history.length == 0 && ratings.optimizer.kind == .adagrad)
        #expect(pairs.history.length == 0 && pairs.optimizer.kind == .adagrad)
        #expect(try model("optimizer: {kind: adagrad}").optimizer == Configuration.Optimizer(kind: .adagrad))
        let free = try model("unobserved: regularized"), bare = try model("unobserved: regularized, history: {length: 0}")
        #expect(free.negatives.count == 0 && free.optimizer.rateItem == 0.15 && free.regularization.interactionItem == 4)
        #expect(bare.optimizer.rateItem == 0.4 && bare.regularization.interactionItem == 1 && bare.history.length == 0)
        #expect(try model("unobserved: regularized, optimizer: {rate_user: 0.2}").optimizer.rateItem == 0.15)
    }

    @Test("Schedule, half-life and ftrl reach the model")
    func steps() throws {
        func steps(_ yaml: String) throws -> ModelSettings.Steps { try load("model: {optimizer: {\(yaml)}}").models[0].settings.steps }
        #expect(try steps("") == ModelSettings.Steps())
        #expect(try steps("schedule: inverse-time") == ModelSettings.Steps(horizon: 1000))
        #expect(try steps("schedule: inverse-time, horizon: 50") == ModelSettings.Steps(horizon: 50))
        #expect(try steps("horizon: 50") == ModelSettings.Steps())
        #expect(try steps("kind: adagrad, half_life: 300") == ModelSettings.Steps(halfLife: 300))
        let ftrl = ModelSettings.Ftrl(alpha: 0.2, beta: 2, l1: 3, l2: 4, sparseFactors: true)
        #expect(try steps("weights: ftrl, ftrl_alpha: 0.2, ftrl_beta: 2, ftrl_l1: 3, ftrl_l2: 4, sparse_factors: true").ftrl == ftrl)
        #expect(try steps("weights: ftrl").ftrl == ModelSettings.Ftrl())
    }

    @Test("Stale rows are folded anew where that is possible; half-life, held items and their memory reach the engine")
    func forgetting() throws {
        func model(_ yaml: String) throws -> Configuration.Model { try load("model: {\(yaml)}").models[0] }
        for (yaml, after) in [
            ("", 50_000), ("unobserved: regularized", 50_000), ("loss: squared", 0), ("kind: fm", 0), ("loss: bpr", 0),
            ("optimizer: {kind: adagrad}", 0), ("refolding: {after: 7}", 7), ("unobserved: regularized, kind: fm", 0),
        ] as [(String, UInt64)] { #expect(try model(yaml).refolding.after == after, "\(yaml)") }
        #expect(try model("unobserved: regularized").refolding.rate == 0.1 && model("").refolding.rate == 0.05)
        #expect(try model("unobserved: regularized, history: {length: 0}").refolding.rate == 0.4)
        let settings = try load(
            "memory: {histories: 3MiB}\nhistory: {held: 44}\nmodel: {forgetting: {half_life: 5000}, refolding: {items: 9}}").engineSettings
        #expect(settings.historyBudget == 3 << 20 && settings.historyLength == 44)
        #expect(settings.models[0].halfLife == 5000 && settings.models[0].refolding == .init(after: 50_000, items: 9, rate: 0.05))
    }

    @Test("What is printed reads back to an equal configuration", arguments: ["", example], [true, false])
    func roundTrip(yaml: String, commented: Bool) throws {
        let first = try load(yaml)
        let text = first.yaml(commented: commented)
        #expect(try load(text) == first)
        #expect(try load(text).yaml(commented: commented) == text)
    }

    @Test("JSON carries the same configuration")
    func json() throws {
        let configuration = try load(Self.example)
        let data = try JSONEncoder().encode(configuration)
        #expect(try JSONDecoder().decode(Configuration.self, from: data) == configuration)
    }

    @Test("Flags win over the environment, the environment over the file")
    func precedence() throws {
        let file = "model: {rank: 8, seed: 8, loss: squared}\nstate: {directory: from-file}"
        let environment = ["FACTORD_MODELS_0_RANK": "16", "FACTORD_STATE_DIRECTORY": "from-environment", "HOME": "/root"]
        let configuration = try load(file, environment: environment, flags: [("state.directory", "from-flag"), ("models[0].kind", "fm")])
        #expect(configuration.models[0].rank == 16)
        #expect(configuration.models[0].seed == 8)
        #expect(configuration.models[0].kind == .fm)
        #expect(configuration.models[0].loss == .squared)
        #expect(configuration.state.directory == "from-flag")
        #expect(configuration.admin.endpoint == "ipc://from-flag/admin.sock")
    }

    @Test("Environment variables reach groups, lists, maps and the single model")
    func environment() throws {
        let configuration = try load("", environment: [
            "FACTORD_MODEL_LOSS": "squared", "FACTORD_MODEL_OPTIMIZER_RATE_USER": "0.5", "FACTORD_STREAMS_0_HIGH_WATER_MARK": "7",
            "FACTORD_STREAMS_1_ENDPOINT": "tcp://127.0.0.1:7001", "FACTORD_EVENTS_ADD_TO_CART_LABEL": "3",
            "FACTORD_EVENTS_DEFAULT_SEEN": "false", "FACTORD_STATE_DEAD_LETTERS_FILES": "9",
            "FACTORD_REQUESTS_ENDPOINTS": "tcp://127.0.0.1:7002, ipc://{state}/r.sock",
        ])
        #expect(configuration.models[0].loss == .squared)
        #expect(configuration.models[0].negatives.count == 0)
        #expect(configuration.models[0].optimizer.rateUser == 0.5)
        #expect(configuration.streams.map(\.name) == ["events", "events-2"])
        #expect(configuration.streams[0].highWaterMark == 7)
        #expect(configuration.events["add_to_cart"]?.label == .constant(3))
        #expect(configuration.events["*"]?.seen == false)
        #expect(configuration.state.deadLetters.files == 9)
        #expect(configuration.requests.endpoints == ["tcp://127.0.0.1:7002", "ipc://./factord-state/r.sock"])
    }

    @Test("Faults of the environment and of flags name the variable and the flag")
    func overrideFaults() {
        let sources = ConfigurationSources(
            environment: ["FACTORD_MODEL_RANK": "many"],
            flags: [.init(path: "modles.0.rank", value: "3", shown: "--set modles.0.rank=3")])
        #expect(throws: ConfigurationError.self) { try Configuration.load(sources) }
        do {
            _ = try Configuration.load(sources)
        } catch {
            #expect("\(error)".contains("environment variable FACTORD_MODEL_RANK: models[0].rank: `many` is not right"))
            #expect("\(error)".contains("--set modles.0.rank=3: modles: unknown key; did you mean `models`?"))
        }
    }

    @Test("A flag whose path leads through a value is refused, and no index makes a gigantic list")
    func badPaths() {
        for path in ["ids.x", "models.999999999.rank", "streams.name"] {
            let sources = ConfigurationSources(flags: [.init(path: path, value: "1", shown: path)])
            #expect(!faults(in: "ids: exact\nstreams: [{name: a}]", sources).isEmpty, "\(path)")
        }
    }

    @Test("Unknown variables are a warning, the clients' own are not")
    func unknownVariables() throws {
        let sources = ConfigurationSources(environment: ["FACTORD_PORT": "tcp://1.2.3.4:5", "FACTORD_EVENTS": "tcp://127.0.0.1:1"])
        let loaded = try Configuration.load(sources)
        #expect(loaded.warnings.count == 1)
        #expect(loaded.warnings[0].contains("FACTORD_PORT"))
    }

    @Test("Every key's own variable leads back to it")
    func everyVariable() {
        func check(_ keys: [KeyDescription], _ prefix: String, _ steps: [SettingNode.Step]) {
            for key in keys {
                let path = prefix + key.name, steps = steps + [.name(key.name)]
                switch key.shape {
                case .value: #expect(Configuration.steps(environment: environmentName(of: path)) == steps, "\(path)")
                case .group(let inner): check(inner, path + ".", steps)
                case .list(let inner): check(inner, path + "[2].", steps + [.index(2)])
                case .map(let inner):
                    check(inner, path + ".buy.", steps + [.name("buy")])
                    check(inner, path + ".*.", steps + [.name("*")])
                }
            }
        }
        check(Configuration.keys, "", [])
    }

    @Test("A damaged file is refused with its faults, or read; what is read prints and reads back equal")
    func damaged() throws {
        let original = [true, false].map { Array(Configuration().yaml(commented: $0).utf8) } + [Array(Self.example.utf8)]
        let pieces = Array("{}[]:,-#\"'\n \t*&!|>%@`~0e9.\u{1F600}".utf8)
        var refused = 0, accepted = 0
        for seed in 0..<600 as Range<UInt64> {
            var bytes = original[Int(seed % 3)]
            for round in 0...(mix64(seed) % 3) {
                let draw = mix64(seed &* 16 &+ round)
                let place = Int(draw % UInt64(bytes.count)), piece = pieces[Int((draw >> 32) % UInt64(pieces.count))]
                switch (draw >> 60) % 3 {
                case 0: bytes[place] = piece
                case 1: bytes.insert(piece, at: place)
                default: bytes.removeSubrange(place..<min(bytes.count, place + Int((draw >> 40) % 20)))
                }
                if bytes.isEmpty { break }
            }
            do {
                let configuration = try Configuration.load(yaml: String(decoding: bytes, as: UTF8.self), file: "test.yaml").configuration
                #expect(try load(configuration.yaml(commented: seed % 2 == 0)) == configuration, "seed \(seed)")
                accepted += 1
            } catch let error as ConfigurationError {
                guard case .faults(let found) = error, !found.isEmpty else { Issue.record("seed \(seed): \(error)"); continue }
                refused += 1
            }
        }
        #expect(refused > 100 && accepted > 20, "\(refused) refused, \(accepted) accepted")
    }

    @Test("Sizes", arguments: [
        ("0", 0), ("512", 512), ("512B", 512), ("1KiB", 1024), ("1 MiB", 1 << 20), ("3gib", 3 << 30), ("2MB", 2_000_000), ("1kB", 1000),
    ])
    func sizes(text: String, bytes: Int) throws {
        let size = try #require(ByteSize(text))
        #expect(size.bytes == bytes)
        #expect(ByteSize(size.description) == size)
    }

    @Test("What is no size or span", arguments: ["", "MiB", "1.5MiB", "-1", "1 parsec", "9999999999999TiB", "٣MiB", "5 m", "m", "1..2s", "5M"])
    func noSize(text: String) {
        #expect(ByteSize(text) == nil || text == "5M")
        #expect(TimeSpan(text) == nil)
    }

    @Test("Spans of time", arguments: [
        ("0", 0), ("250ms", 250_000_000), ("5m", 300_000_000_000), ("1h30m", 5_400_000_000_000), ("1.5s", 1_500_000_000), ("2d", 172_800_000_000_000),
        ("7us", 7000), ("1d1ns", 86_400_000_000_001),
    ])
    func spans(text: String, nanoseconds: Int) throws {
        let span = try #require(TimeSpan(text))
        #expect(span.nanoseconds == Int64(nanoseconds))
        #expect(TimeSpan(span.description) == span)
    }
}
