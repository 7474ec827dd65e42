import Factorization
import ZeroMQ

extension Configuration {
    /// Most parts that a list of streams, models or endpoints may have.
    static let longestList = 64

    /// Checks what no single key can tell: names and endpoints against each other, and keys that contradict.
    func validate(_ reader: inout SettingReader) {
        validateLists(&reader)
        validateEndpoints(&reader)
        validateSecurity(&reader)
        validateStreams(&reader)
        for (index, model) in models.enumerated() { validate(model, "models[\(index)]", &reader) }
        if requests.maxBody > requests.maxMessage {
            reader.fault(
                "requests.max_body", "\(requests.maxBody) is more than requests.max_message (\(requests.maxMessage)), which drops the client first")
        }
        if state.directory.contains("{state}") { reader.fault("state.directory", "cannot contain {state}, which stands for it") }
        if (1..<Configuration.Popularity.shortestHalfLife).contains(popularity.halfLife) {
            reader.fault("popularity.half_life", "is \(popularity.halfLife); take \(Configuration.Popularity.shortestHalfLife) or more, or 0 for counts that never fade")
        }
        validateChoice(&reader)
        validateMemory(&reader)
        for type in events.keys.sorted() where type.isEmpty || type.utf8.count > 64 {
            reader.fault("events.\(type)", "an event type has 1 to 64 bytes")
        }
    }

    private func validateMemory(_ reader: inout SettingReader) {
        if (1..<MemorySettings.shortestIdle).contains(memory.idleEvents) {
            reader.fault("memory.idle_events", "is \(memory.idleEvents); take \(MemorySettings.shortestIdle) or more, or 0 for never")
        }
        guard memory.budget.bytes > 0 else { return }
        let least = engineSettings.leastBudget
        if memory.budget.bytes < least {
            reader.fault(
                "memory.budget",
                "is \(memory.budget); memory.histories, replay.capacity and the models alone take \(ByteSize(mebibytes: least >> 20 + 1)): take more, or less for those, or 0 for no bound")
        }
        if popularity.halfLife == 0, memory.idleEvents == 0 {
            reader.fault("memory.budget", "evicts what is rare, and nothing ever becomes rare: set popularity.half_life or memory.idle_events")
        }
    }

    private func validateLists(_ reader: inout SettingReader) {
        let lists = [("streams", streams.count), ("models", models.count), ("requests.endpoints", requests.endpoints.count)]
        for (path, count) in lists where !(1...Configuration.longestList).contains(count) {
            reader.fault(path, count == 0 ? "is empty; at least one is needed" : "has \(count) parts; at most \(Configuration.longestList) are possible")
        }
        for (list, names) in [("streams", streams.map(\.name)), ("models", models.map(\.name))] {
            for (index, name) in names.enumerated() {
                guard let first = names.firstIndex(of: name), first < index else { continue }
                reader.fault("\(list)[\(index)].name", "`\(name)` is also the name of \(list)[\(first)]; each needs its own")
            }
        }
    }

    private func validate(_ model: Model, _ path: String, _ reader: inout SettingReader) {
        if !model.ranks.isEmpty, model.ranks.count != model.order - 1 {
            reader.fault("\(path).ranks", "has \(model.ranks.count) ranks; order \(model.order) needs \(model.order - 1), one for each order from 2 on")
            return
        }
        if model.fields.count > ModelSettings.mostFields || Set(model.fields).count < model.fields.count {
            reader.fault("\(path).fields", "name each field once, at most \(ModelSettings.mostFields)")
        }
        let length = model.settings.rowLength
        if length > ModelSettings.longestRow {
            reader.fault("\(path).rank", "makes rows of \(length) numbers; at most \(ModelSettings.longestRow) are possible")
        }
        validateSteps(of: model, path, &reader)
        validateStorage(of: model, path, &reader)
        if model.loss.isPairwise, model.negatives.count == 0 {
            reader.fault("\(path).negatives.count", "is 0, and \(model.loss.rawValue) compares a positive with sampled items")
        }
        if model.history.length > history.held {
            reader.fault("\(path).history.length", "is \(model.history.length), more than history.held (\(history.held)) keeps; raise that")
        }
        let folds = model.unobserved == .regularized || model.loss == .logistic && model.optimizer.kind == .sgd
        if model.refolding.after > 0, model.kind != .mf || !folds {
            reader.fault("\(path).refolding.after", "refolding is for kind mf with unobserved: regularized, or with loss logistic and optimizer sgd")
        }
        if model.refinement.passes > 0, model.loss == .squared, model.unobserved == .sampled {
            reader.fault("\(path).refinement.passes", "refinement is for implicit feedback: what is held of a user are items, and no ratings; set 0")
        }
        if model.unobserved == .regularized, ![.mf, .fm].contains(model.kind) || model.loss.isPairwise {
            reader.fault("\(path).unobserved", "regularized is for kinds mf and fm, and for losses with a label")
        }
    }

    private func validateStreams(_ reader: inout SettingReader) {
        for (index, stream) in streams.enumerated() where stream.pattern != .sub && !stream.topics.isEmpty {
            reader.fault("streams[\(index)].topics", "a \(stream.pattern.rawValue) stream has no topics; remove the key, or set pattern: sub")
        }
        for (index, stream) in streams.enumerated() where stream.pattern == .acknowledged {
            if stream.mode == .connect { reader.fault("streams[\(index)].mode", "an acknowledged stream is bound; publishers connect to it") }
            if !state.journal.enabled {
                reader.fault("streams[\(index)].pattern", "acknowledged needs the journal; set state.journal.enabled: true")
            }
        }
    }

    /// One endpoint of the configuration: where it stands, and what is done with it.
    private struct Use {
        let path: String
        let text: String
        let isBound: Bool
        var isHTTP = false
    }

    private func validateEndpoints(_ reader: inout SettingReader) {
        var uses = streams.enumerated().map { Use(path: "streams[\($0)].endpoint", text: $1.endpoint, isBound: $1.mode == .bind) }
        uses += requests.endpoints.map { Use(path: "requests.endpoints", text: $0, isBound: true) }
        uses.append(Use(path: "admin.endpoint", text: admin.endpoint, isBound: true))

        if let endpoint = http.endpoint { uses.append(Use(path: "http.endpoint", text: endpoint, isBound: true, isHTTP: true)) }

        var bound: [(use: Use, address: EndpointAddress)] = []
        for use in uses {
            let address: EndpointAddress
            do {
                address = use.isHTTP ? try EndpointAddress(http: use.text) : try EndpointAddress(use.text)
            } catch {
                reader.fault(use.path, use.text.isEmpty ? error.words : "`\(use.text)` \(error.words)")
                continue
            }
            if !use.isBound {
                if case .tcp(_, port: 0) = address.place { reader.fault(use.path, "`\(use.text)`: only a bound endpoint can have port *") }
                if case .tcp(host: "*", _) = address.place { reader.fault(use.path, "`\(use.text)`: name the host to connect to") }
                continue
            }
            if !address.isLocal, !insecure { refuseRemote(use, &reader) }
            if let other = bound.first(where: { $0.address.clashes(with: address) }) {
                reader.fault(use.path, "`\(use.text)` is already taken by \(other.use.path)")
            }
            bound.append((use, address))
        }
    }

    /// An endpoint that other machines reach, where nothing checks who they are.
    private func refuseRemote(_ use: Use, _ reader: inout SettingReader) {
        if use.isHTTP {
            guard !http.remote else { return }
            reader.fault(
                use.path,
                "`\(use.text)` can be reached from other machines, and HTTP checks nobody; bind 127.0.0.1 or unix:PATH with a proxy "
                    + "in front that asks who they are, or set http.remote: true (or insecure: true) if the network is trusted")
        } else if security.serverKey.isEmpty {
            reader.fault(
                use.path,
                "`\(use.text)` can be reached from other machines and nothing checks who connects; set security.server_key to the file "
                    + "that `factorctl keygen` makes, or bind 127.0.0.1 or an ipc path, or set insecure: true if the network is trusted")
        }
    }

    private func validateSecurity(_ reader: inout SettingReader) {
        for (index, stream) in streams.enumerated() where !stream.serverKey.isEmpty {
            let path = "streams[\(index)].server_key"
            if CurveKey(stream.serverKey) == nil {
                reader.fault(path, "is no public key: 40 characters as in the .pub file that `factorctl keygen` makes are expected")
            } else if stream.mode == .bind {
                reader.fault(path, "is the key of a publisher that is connected to; this stream is bound, and asks its publishers for theirs (security.publish)")
            } else if security.serverKey.isEmpty {
                reader.fault(path, "needs security.server_key: a publisher that asks for keys wants to see the daemon's")
            }
        }
        guard security.serverKey.isEmpty else { return }
        for (name, path) in [("publish", security.publish), ("query", security.query), ("admin", security.admin)] where !path.isEmpty {
            reader.fault("security.\(name)", "says who may come in, and nobody is asked: set security.server_key, too")
        }
        if security.ipc { reader.fault("security.ipc", "asks for keys where the daemon has none: set security.server_key, too") }
    }
}

extension SettingReader {
    /// Adds a fault of a key, with the place where the key, or the group that holds it, was written.
    mutating func fault(_ path: String, _ problem: String) {
        var place = path[...]
        while origins[String(place)] == nil, let end = place.lastIndex(where: { ".[".contains($0) }) { place = place[..<end] }
        add(origins[String(place)] ?? .builtIn, path, problem)
    }
}
