import Testing

@testable import FactordServer

/// The faults of a text, as (line, path, problem); line 0 for what no line is to blame for.
func faults(in yaml: String, _ sources: ConfigurationSources = ConfigurationSources()) -> [(line: Int, path: String, problem: String)] {
    do {
        _ = try Configuration.load(yaml: yaml, file: "test.yaml", sources)
        return []
    } catch {
        guard case .faults(let faults) = error else { return [(-1, "", "\(error)")] }
        return faults.map { fault in
            if case .line(let line, "test.yaml") = fault.origin { return (line, fault.path, fault.problem) }
            return (0, fault.path, fault.problem)
        }
    }
}

@Suite("Configuration: faults")
struct ConfigurationFaultTests {
    /// A text with one fault: its line, its key, and words that the message must hold.
    struct Case: CustomTestStringConvertible, Sendable {
        let yaml: String
        let line: Int
        let path: String
        let words: String
        var testDescription: String { "\(path): \(words)" }
    }

    static let cases: [Case] = [
        Case(yaml: "state:\n  snapshot:\n    intervall: 5m", line: 3, path: "state.snapshot.intervall", words: "did you mean `interval`?"),
        Case(yaml: "ids: exact\nmodel:\n  rnak: 5", line: 3, path: "models[0].rnak", words: "did you mean `rank`?"),
        Case(yaml: "\nquux: 1", line: 2, path: "quux", words: "known here: streams, requests"),
        Case(yaml: "models: [{name: a}, {name: b}]\nexperiment:\n  split: {a: 90, x: 10}", line: 3, path: "experiment.split", words: "no model `x`; there is a, b"),
        Case(yaml: "models: [{name: a}, {name: b}]\nexperiment:\n  split: {a: 90, b: 9}", line: 3, path: "experiment.split", words: "are 99 together"),
        Case(yaml: "models: [{name: a}, {name: b}]\nexperiment:\n  split: {a: 110, b: -10}", line: 3, path: "experiment.split", words: "shares by model such as {a: 90, b: 10}"),
        Case(yaml: "models: [{name: a}, {name: b}]\npromotion:\n  model: b\n  alpha: 0.7", line: 4, path: "promotion.alpha", words: "0.5"),
        Case(yaml: "models: [{name: a}, {name: b}]\npromotion:\n  model: x", line: 3, path: "promotion.model", words: "no model `x`"),
        Case(yaml: "models: [{name: a}, {name: b}]\npromotion:\n  model: a", line: 3, path: "promotion.model", words: "also promotion.against"),
        Case(yaml: "models: [{name: a}, {name: b}]\npromotion:\n  automatic: true", line: 3, path: "promotion.automatic", words: "needs promotion.model"),
        Case(yaml: "models: [{name: a}, {name: b, loss: bpr}]\npromotion:\n  model: b", line: 3, path: "promotion.measure", words: "take measure: auc"),
        Case(yaml: "models: [{name: a}, {name: b, negatives: {count: 3}}]\npromotion:\n  model: b", line: 3, path: "promotion.measure", words: "other negatives"),
        Case(yaml: "models: [{name: a, loss: squared}, {name: b, loss: squared}]\npromotion:\n  model: b\n  measure: auc", line: 4, path: "promotion.measure", words: "draws no negatives"),
        Case(yaml: "exploration:\n  epsilon: 1.5", line: 2, path: "exploration.epsilon", words: "number 0…1"),
        Case(yaml: "models:\n- rank: 0", line: 2, path: "models[0].rank", words: "integer 1…512"),
        Case(yaml: "models:\n- rank: 513", line: 2, path: "models[0].rank", words: "integer 1…512"),
        Case(yaml: "models:\n- rank: 1.5", line: 2, path: "models[0].rank", words: "`1.5` is not right"),
        Case(yaml: "models:\n- name: a\n- name: b\n  loss: squard", line: 4, path: "models[1].loss", words: "did you mean `squared`?"),
        Case(yaml: "model:\n  kind: hofm\n  ranks: [8]", line: 3, path: "models[0].ranks", words: "order 3 needs 2"),
        Case(yaml: "model:\n  ranks: [8, x]", line: 2, path: "models[0].ranks", words: "such as [8, 4]"),
        Case(yaml: "model:\n  kind: ffm\n  fields: [hour, hour]", line: 3, path: "models[0].fields", words: "each field once"),
        Case(yaml: "model:\n  kind: ffm\n  rank: 512\n  fields: [a, b, c]", line: 3, path: "models[0].rank", words: "at most 2048"),
        Case(yaml: "model:\n  loss: bpr\n  negatives:\n    count: 0", line: 4, path: "models[0].negatives.count", words: "sampled items"),
        Case(yaml: "model:\n  kind: gfm\n  unobserved: regularized", line: 3, path: "models[0].unobserved", words: "mf and fm"),
        Case(yaml: "history:\n  held: 30\nmodel:\n  history: {length: 31}", line: 4, path: "models[0].history.length", words: "history.held (30)"),
        Case(yaml: "model:\n  kind: fm\n  refolding:\n    after: 9", line: 4, path: "models[0].refolding.after", words: "kind mf"),
        Case(yaml: "model:\n  optimizer: {kind: adagrad}\n  refolding:\n    after: 9", line: 4, path: "models[0].refolding.after", words: "optimizer sgd"),
        Case(yaml: "memory:\n  histories: 1KiB", line: 2, path: "memory.histories", words: "1MiB"),
        Case(yaml: "model:\n  negatives: {count: 257}", line: 2, path: "models[0].negatives.count", words: "integer 0…256"),
        Case(yaml: "model: {seed: -1}", line: 1, path: "models[0].seed", words: "integer from 0"),
        Case(yaml: "model:\n  optimizer:\n    rate: .nan", line: 3, path: "models[0].optimizer.rate", words: "number 0…10"),
        Case(yaml: "model:\n  optimizer:\n    rate: 1e-60", line: 3, path: "models[0].optimizer.rate", words: "number 0…10"),
        Case(yaml: "model:\n  optimizer:\n    rate: -0.1", line: 3, path: "models[0].optimizer.rate", words: "number 0…10"),
        Case(yaml: "model:\n  optimizer:\n    kind: adagrad\n    schedule: inverse-time", line: 4, path: "models[0].optimizer.schedule", words: "optimizer.kind sgd"),
        Case(yaml: "model:\n  unobserved: regularized\n  optimizer: {schedule: inverse-time}", line: 3, path: "models[0].optimizer.schedule", words: "regularized"),
        Case(yaml: "model:\n  optimizer: {horizon: 0}", line: 2, path: "models[0].optimizer.horizon", words: "number 1…"),
        Case(yaml: "model:\n  optimizer:\n    half_life: 100", line: 3, path: "models[0].optimizer.half_life", words: "adagrad"),
        Case(yaml: "model:\n  kind: bilinear\n  optimizer: {weights: ftrl}", line: 3, path: "models[0].optimizer.weights", words: "linear weights"),
        Case(yaml: "model:\n  unobserved: regularized\n  optimizer: {weights: ftrl}", line: 3, path: "models[0].optimizer.weights", words: "linear weights"),
        Case(yaml: "model:\n  optimizer: {weights: ftlr}", line: 2, path: "models[0].optimizer.weights", words: "did you mean `ftrl`?"),
        Case(yaml: "model:\n  optimizer: {sparse_factors: true}", line: 2, path: "models[0].optimizer.sparse_factors", words: "weights: ftrl"),
        Case(yaml: "model:\n  optimizer: {ftrl_alpha: 0}", line: 2, path: "models[0].optimizer.ftrl_alpha", words: "number"),
        Case(yaml: "model:\n  storage: bfloat\n", line: 2, path: "models[0].storage", words: "did you mean `bfloat16`?"),
        Case(yaml: "model:\n  storage: bfloat16\n  unobserved: regularized", line: 3, path: "models[0].unobserved", words: "storage: float32"),
        Case(yaml: "model:\n  storage: bfloat16\n  forgetting: {half_life: 9}", line: 3, path: "models[0].forgetting.half_life", words: "storage: float32"),
        Case(
            yaml: "model:\n  storage: bfloat16\n  regularization: {interaction_item: 1}", line: 3,
            path: "models[0].regularization.interaction_item", words: "storage: float32"),
        Case(yaml: "state: {snapshot: {interval: 5}}", line: 1, path: "state.snapshot.interval", words: "such as 5m"),
        Case(yaml: "requests:\n  max_body: 1 parsec", line: 2, path: "requests.max_body", words: "such as 1MiB"),
        Case(yaml: "requests:\n  max_body: 8MiB", line: 2, path: "requests.max_body", words: "requests.max_message"),
        Case(yaml: "requests:\n  endpoints: []", line: 2, path: "requests.endpoints", words: "at least one"),
        Case(yaml: "streams: []", line: 1, path: "streams", words: "at least one"),
        Case(yaml: "streams: events", line: 1, path: "streams", words: "a list"),
        Case(yaml: "threads:\n  pin: [0, 0]", line: 2, path: "threads.pin", words: "list of different processors"),
        Case(yaml: "threads:\n  pin: some", line: 2, path: "threads.pin", words: "none, auto or"),
        Case(yaml: "threads: 3", line: 1, path: "threads", words: "receivers, trainers"),
        Case(yaml: "state:\n  snapshot:\n    on_shutdown: perhaps", line: 3, path: "state.snapshot.on_shutdown", words: "true or false"),
        Case(yaml: "events:\n  view:\n    label: high", line: 3, path: "events.view.label", words: "a number"),
        Case(yaml: "events:\n  view:\n    wieght: 1", line: 3, path: "events.view.wieght", words: "did you mean `weight`?"),
        Case(yaml: "streams:\n- name: a b", line: 2, path: "streams[0].name", words: "letters, digits"),
        Case(yaml: "streams:\n- topics: [a]", line: 2, path: "streams[0].topics", words: "set pattern: sub"),
        Case(yaml: "streams:\n- name: a\n- name: b", line: 3, path: "streams[1].endpoint", words: "missing"),
        Case(yaml: "streams:\n- endpoint: localhost:5560", line: 2, path: "streams[0].endpoint", words: "no transport"),
        Case(yaml: "streams:\n- endpoint: udp://127.0.0.1:1", line: 2, path: "streams[0].endpoint", words: "use tcp or ipc"),
        Case(yaml: "streams:\n- endpoint: tcp://127.0.0.1:70000", line: 2, path: "streams[0].endpoint", words: "1…65535"),
        Case(yaml: "streams:\n- endpoint: tcp://127.0.0.1", line: 2, path: "streams[0].endpoint", words: "no port"),
        Case(yaml: "streams:\n- endpoint: tcp://0.0.0.0:5560", line: 2, path: "streams[0].endpoint", words: "insecure: true"),
        Case(yaml: "streams:\n- endpoint: tcp://127.0.0.1.example.org:5560", line: 2, path: "streams[0].endpoint", words: "insecure: true"),
        Case(yaml: "admin:\n  endpoint: tcp://*:5570", line: 2, path: "admin.endpoint", words: "insecure: true"),
        Case(yaml: "requests:\n  endpoints: [tcp://10.0.0.1:5570]", line: 2, path: "requests.endpoints", words: "security.server_key to the file that `factorctl keygen` makes"),
        Case(yaml: "http:\n  endpoint: tcp://0.0.0.0:5562", line: 2, path: "http.endpoint", words: "http.remote: true"),
        Case(yaml: "security: {server_key: k}\nhttp:\n  endpoint: 'tcp://[::]:5562'", line: 3, path: "http.endpoint", words: "HTTP checks nobody"),
        Case(yaml: "security:\n  query: clients", line: 2, path: "security.query", words: "set security.server_key, too"),
        Case(yaml: "security:\n  ipc: true", line: 2, path: "security.ipc", words: "set security.server_key, too"),
        Case(yaml: "security: {server_key: k}\nstreams:\n- server_key: abc", line: 3, path: "streams[0].server_key", words: "no public key"),
        Case(
            yaml: "security: {server_key: k}\nstreams:\n- server_key: 'Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID'", line: 3,
            path: "streams[0].server_key", words: "this stream is bound"),
        Case(
            yaml: "streams:\n- {mode: connect, server_key: 'Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID'}", line: 2,
            path: "streams[0].server_key", words: "needs security.server_key"),
        Case(yaml: "admin:\n  endpoint: tcp://127.0.0.1:5561", line: 2, path: "admin.endpoint", words: "already taken by requests.endpoints"),
        Case(yaml: "admin: {endpoint: 'ipc://factord-state/../factord-state/requests.sock'}", line: 1, path: "admin.endpoint", words: "already taken"),
        Case(yaml: "admin: {endpoint: 'ipc:///\(String(repeating: "p", count: 120))'}", line: 1, path: "admin.endpoint", words: "at most 107"),
        Case(yaml: "streams:\n- mode: connect\n  endpoint: tcp://a.example.org:*", line: 3, path: "streams[0].endpoint", words: "only a bound"),
        Case(
            yaml: "streams:\n- {name: a, endpoint: 'tcp://127.0.0.1:7000'}\n- {name: b, endpoint: 'tcp://localhost:7000'}", line: 3,
            path: "streams[1].endpoint", words: "already taken by streams[0].endpoint"),
        Case(yaml: "models:\n- name: a\n- name: a", line: 3, path: "models[1].name", words: "also the name of models[0]"),
        Case(yaml: "model: {rank: 2}\nmodels: []", line: 1, path: "model", words: "beside `models`"),
        Case(yaml: "state:\n  directory: 'x/{state}'", line: 2, path: "state.directory", words: "stands for it"),
        Case(yaml: "log:\n  level: verbos", line: 2, path: "log.level", words: "trace, debug"),
        Case(yaml: "ids: [a]", line: 1, path: "ids", words: "a list is not right"),
        Case(yaml: "streams:\n- name: 'open", line: 2, path: "", words: "not valid YAML"),
        Case(yaml: "ids: exact\nids: exact", line: 1, path: "", words: "written twice: ids"),
    ]

    @Test("Each fault is named with its line, its key and what would be right", arguments: cases)
    func each(_ example: Case) {
        let found = faults(in: example.yaml)
        let isNamed = found.contains { fault in
            fault.line == example.line && fault.path == example.path && fault.problem.contains(example.words)
        }
        #expect(isNamed, "\(example.yaml)\ngave \(found)")
    }

    @Test("All faults come at once, in the order of the lines")
    func together() {
        let found = faults(in: """
            streams:
              - name: a
                endpoint: tcp://0.0.0.0:5560
                pattrn: sub
              - name: a
                high_water_mark: 0
            models:
              - rank: 1000
                optimizer: {rate: fast, kind: sdg}
            state: {directory: [x]}
            """)
        #expect(found.map(\.line) == [3, 4, 5, 5, 6, 8, 9, 9, 10], "\(found)")
    }

    @Test("A remote endpoint may be connected to; keys, or insecure, allow to bind one, and http.remote one for HTTP")
    func remote() {
        #expect(faults(in: "security: {server_key: k}\nstreams: [{endpoint: 'tcp://*:5560'}]\nrequests: {endpoints: ['tcp://*:5561']}\nadmin: {endpoint: 'tcp://*:5563'}").isEmpty)
        #expect(faults(in: "http: {endpoint: 'tcp://0.0.0.0:5562', remote: true}").isEmpty)
        #expect(faults(in: "insecure: true\nhttp: {endpoint: 'tcp://0.0.0.0:5562'}").isEmpty)
        for local in ["127.0.0.1", "127.9.9.9", "[::1]", "localhost"] {
            #expect(faults(in: "streams: [{endpoint: 'tcp://\(local):5570'}]\nhttp: {endpoint: 'tcp://\(local):5571'}").isEmpty, "\(local)")
        }
        #expect(faults(in: "streams: [{mode: connect, endpoint: 'tcp://feed.example.org:5560'}]").isEmpty)
        #expect(faults(in: "insecure: true\nstreams: [{endpoint: 'tcp://*:5560'}]").isEmpty)
    }

    @Test("A file that is not there is named")
    func missingFile() {
        #expect(throws: ConfigurationError.unreadable(path: "/nowhere/factord.yaml", reason: "no such file")) {
            try Configuration.load(ConfigurationSources(file: "/nowhere/factord.yaml"))
        }
    }

    @Test("Edit distance counts insertions, deletions, replacements and swaps")
    func distance() {
        #expect(editDistance("", "abc") == 3)
        #expect(editDistance("rank", "rnak") == 1)
        #expect(editDistance("kitten", "sitting") == 3)
        #expect(nearest(to: "xyzzy", among: ["streams", "models"]) == nil)
    }
}
