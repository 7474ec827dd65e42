import Testing

@testable import Factorization

@Suite struct StateImageTests {
    private func settings(_ kind: ModelSettings.Kind = .fm, rank: Int = 6, _ optimizer: ModelSettings.Optimizer = .adagrad, trainers: Int = 1)
        -> EngineSettings
    {
        EngineSettings(
            models: [ModelCase(kind: kind, loss: .logistic, optimizer: optimizer).settings(rank: rank, negatives: 2)],
            trainers: trainers, queueCapacity: 64, historyLength: 5, seenLimit: 40)
    }

    private func filled(_ settings: EngineSettings) -> Engine {
        let engine = Engine(settings: settings)
        engine.learn(randomEvents(700, users: 30, items: 90, seed: 2))
        let builder = BatchBuilder(engine)
        builder.append(.hideItem, item: 3)
        builder.append(.undo, user: 4, item: 5)
        builder.append(.forgetUser, user: 6)
        var text = "naïve id"
        let key = text.withUTF8 { Key(text: builder.batch.text(builder.batch.copyText(UnsafeRawBufferPointer($0))!), hashing: engine.hashing) }
        #expect(builder.batch.append(EventRecord(kind: .interaction, user: key, item: key)))
        engine.learnNow(builder.batch)
        return engine
    }

    private func restored(_ state: MemoryState, _ settings: EngineSettings) throws -> Engine {
        let engine = Engine(settings: settings)
        try engine.restore(from: state)
        return engine
    }

    @Test(arguments: ModelSettings.Optimizer.allCases) func captureAndRestoreAreInverse(_ optimizer: ModelSettings.Optimizer) throws {
        let settings = settings(.fm, optimizer), engine = filled(settings)
        let state = MemoryState(engine), other = try restored(state, settings)
        #expect(state.differences(MemoryState(other)) == [])
        let items = (0..<UInt32(engine.items.count)).map { $0 }
        #expect(Scorer(engine: engine).score(user: 3, items: items) == Scorer(engine: other).score(user: 3, items: items))
        // And both go on alike.
        let more = randomEvents(200, users: 40, items: 100, context: 3, seed: 5)
        engine.learn(more)
        other.learn(more)
        #expect(MemoryState(engine).differences(MemoryState(other)) == [])
    }

    @Test func anotherNumberOfTrainersTakesUpTheState() throws {
        let state = MemoryState(filled(settings())), other = try restored(state, settings(trainers: 3))
        #expect(other.appliedPosition == other.sequencer.lastPosition)
        // Metrics are held by trainer.
        #expect(state.differences(MemoryState(other)) == ["model/main/late", "model/main/parts", "model/main/prequential", "model/main/window"])
    }

    @Test func anotherModelIsRefusedByName() {
        let state = MemoryState(filled(settings()))
        for (changed, key) in [
            (settings(.fm, rank: 7), "models.main.rank"), (settings(.mf), "models.main.kind"),
            (settings(.fm, .adagradCoordinate), "models.main.optimizer.kind"),
        ] {
            do {
                _ = try restored(state, changed)
                Issue.record("\(key) was accepted")
            } catch StateError.changed(let named, _, _) { #expect(named == key) } catch { Issue.record("\(error)") }
        }
        var two = settings()
        two.models.append(ModelSettings(name: "second"))
        #expect(throws: StateError.changed(key: "models", saved: "1 models", now: "2")) { try restored(state, two) }
    }

    @Test func everyShortMissingOrLongSectionIsNoticed() {
        let settings = settings(.mf, rank: 4)
        let engine = Engine(settings: settings)
        engine.learn(randomEvents(40, users: 4, items: 5, seed: 2))
        let state = MemoryState(engine)
        for (name, bytes) in state.sections {
            var damaged = state
            for length in Set([0, 1, bytes.count / 2, bytes.count - 1]) where bytes.indices.contains(length) {
                damaged.sections[name] = Array(bytes.prefix(length))
                #expect(throws: StateError.damaged(section: name), "\(name) cut to \(length)") { try restored(damaged, settings) }
            }
            damaged.sections[name] = bytes + [0]
            #expect(throws: StateError.damaged(section: name), "\(name) with a byte more") { try restored(damaged, settings) }
            damaged.sections[name] = nil
            // States from before there was a choice of models, a window of metrics, or parts of sums, or lists of attributes were counted,
            // are taken as they are; the same of both "recent" and "newest" together.
            if name == "answering" || name.hasPrefix("sizes/") || name.hasSuffix("/window") || name.hasSuffix("/parts") {
                #expect(throws: Never.self, "without \(name)") { try restored(damaged, settings) }
            } else {
                #expect(throws: StateError.missing(section: name)) { try restored(damaged, settings) }
            }
        }
    }

    @Test func absurdCountsAndNamesAreDamage() {
        let settings = settings(), state = MemoryState(filled(settings))
        var damaged = state
        damaged.sections["counts"]!.replaceSubrange(8..<16, with: repeatElement(0xFF, count: 8))
        #expect(throws: StateError.damaged(section: "counts")) { try restored(damaged, settings) }
        for (section, limit) in [("types", EventTypes.capacity), ("fields", Fields.capacity)] {
            var writer = ByteWriter()
            writer.put(UInt32(limit + 1))
            for number in 0...limit {
                let name = section == "types" && number == 0 ? "" : "n\(number)"
                writer.put(UInt32(name.utf8.count))
                writer.put(name.utf8)
            }
            damaged = state
            damaged.sections[section] = writer.bytes
            #expect(throws: StateError.damaged(section: section)) { try restored(damaged, settings) }
        }
    }
}
