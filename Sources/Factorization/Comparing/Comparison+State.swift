/// What a snapshot holds of a comparison on one trainer.
struct ComparisonState {
    var test = SequentialTest()
    /// Least and greatest label so far.
    var lowest = Float.infinity
    var highest = -Float.infinity

    /// The same for another number of trainers: the sums, which add, stay whole with the first.
    static func spread(_ saved: [ComparisonState], over count: Int) -> [ComparisonState] {
        guard saved.count != count else { return saved }
        var each = ComparisonState()
        each.lowest = saved.map(\.lowest).min() ?? .infinity
        each.highest = saved.map(\.highest).max() ?? -.infinity
        var first = each
        first.test = saved.map(\.test).reduce(SequentialTest(), +)
        return [first] + Array(repeating: each, count: count - 1)
    }

    func write(_ writer: inout ByteWriter) {
        writer.put(test.events)
        writer.put(test.sum)
        writer.put(test.squares)
        writer.put(lowest)
        writer.put(highest)
    }

    init(test: SequentialTest = SequentialTest(), lowest: Float = .infinity, highest: Float = -.infinity) {
        self.test = test
        self.lowest = lowest
        self.highest = highest
    }

    init(_ reader: inout ByteReader) throws(StateError) {
        test.events = try reader.get()
        test.sum = try reader.getDouble()
        test.squares = try reader.getDouble()
        lowest = try reader.getFloat()
        highest = try reader.getFloat()
        guard test.events <= 1 << 53, abs(test.sum) <= Double(test.events), (0...4 * Double(test.events)).contains(test.squares),
            !lowest.isNaN, !highest.isNaN
        else { throw .damaged(section: reader.section) }
    }
}

extension StateCapture {
    /// The comparison of a model with another, as its section: of what, then for each trainer.
    func comparison(of number: Int) -> [UInt8]? {
        guard let settings = engine.settings.comparison, settings.model == number else { return nil }
        var writer = ByteWriter()
        writer.put(comparing: settings, engine)
        writer.put(UInt32(engine.trainers.count))
        for trainer in engine.trainers { (trainer.comparison?.state ?? ComparisonState()).write(&writer) }
        return writer.bytes
    }
}

extension Engine {
    static let comparisonSection = "comparison"

    /// Takes up what was compared; another comparison than the one saved begins anew.
    func restoreComparison(_ source: some StateSource) throws {
        guard let settings = settings.comparison else { return }
        let section = "model/\(models[settings.model].settings.name)/\(Engine.comparisonSection)"
        var saved: [ComparisonState]?
        _ = try source.withSection(section) { (bytes) throws(StateError) in
            var reader = ByteReader(bytes, section: section), wanted = ByteWriter()
            wanted.put(comparing: settings, self)
            let own = try reader.getBytes(Int(try reader.get(UInt32.self)))
            guard own.elementsEqual(wanted.bytes.dropFirst(4)) else { return }
            let count = try reader.get(UInt32.self)
            guard (1...UInt32(Placement.shardCount)).contains(count) else { throw .damaged(section: section) }
            var states: [ComparisonState] = []
            for _ in 0..<count { states.append(try ComparisonState(&reader)) }
            try reader.expectEnd()
            saved = states
        }
        guard let saved else { return }
        for (trainer, state) in zip(trainers, ComparisonState.spread(saved, over: trainers.count)) { trainer.comparison?.restore(state) }
    }
}

extension ByteWriter {
    /// The measure and the name of the other model, behind the length of both.
    fileprivate mutating func put(comparing settings: ComparisonSettings, _ engine: Engine) {
        let text = "\(settings.measure.rawValue) \(engine.models[settings.against].settings.name)"
        put(UInt32(text.utf8.count))
        put(text.utf8)
    }
}
