public import Factorization

extension Configuration {
    /// Which users get which model, where a request names none.
    public struct Experiment: Sendable, Equatable, Codable {
        /// Goes into the hash of every user's id: another name deals the users anew.
        public var name = "experiment"
        /// Percent of the users by model; empty for no experiment.
        public var split: [String: Double] = [:]

        public init() {}
    }

    /// How much time goes into re-solving the rows of users, and when.
    public struct Refining: Sendable, Equatable, Codable {
        /// Share of one processor, at most, while trainers have nothing to do; 0 for none.
        public var budget: Float = 0
        /// Events that must be learned between two rounds through all users.
        public var after = 50_000

        public init() {}
    }

    /// Which model is to show on the stream that it is better than another.
    public struct Promotion: Sendable, Equatable, Codable {
        /// Empty for none.
        public var model = ""
        /// The first model where empty.
        public var against = ""
        /// What is compared.
        public var measure = ComparisonSettings.Measure.loss
        /// The chance of promoting a model that is not better, over all times together.
        public var alpha: Float = 0.01
        /// Events compared before anything is decided.
        public var minimumEvents = 10_000
        /// Whether the daemon promotes by itself.
        public var automatic = false

        public init() {}
    }

    /// How lists leave room for chance, where a request does not say.
    public struct Explorations: Sendable, Equatable, Codable {
        public enum Method: String, Sendable, Codable, CaseIterable { case none, epsilon, thompson }

        public var method = Method.none
        public var epsilon: Float = 0.1
        public var scale: Float = 1
        public var log = Log()

        public init() {}

        /// Where lists with their propensities go.
        public struct Log: Sendable, Equatable, Codable {
            public var enabled = true
            public var directory = "{state}/explorations"
            /// A file that reaches this size is closed and the next one is begun.
            public var bytes = ByteSize(mebibytes: 64)
            /// How many files stay; the oldest goes first.
            public var files = 4

            public init() {}
        }
    }
}

extension Configuration.Experiment {
    static var section: Section<Self> {
        Section(entries: [
            .value("name", \.name, .name, .restart, "Goes into the hash of every user's id: another name deals the users anew."),
            .value("split", \.split, .shares, .restart, "Percent of the users by model, 100 together; none for no experiment. The first model's share goes to whichever answers by default."),
        ])
    }
}

extension Configuration.Promotion {
    static var section: Section<Self> {
        Section(entries: [
            .value("model", \.model, .text, .restart, "The model that is to show that it is better; \"\" for none."),
            .value("against", \.against, .text, .restart, defaultText: "the first model", "The one to beat."),
            .value("measure", \.measure, .choice, .restart, "loss: their prequential losses, which must be of one kind with the same negatives; auc: the share of negatives that score above an event."),
            .value("alpha", \.alpha, .number(0.000001...0.5), .restart, "The chance of promoting a model that is not better, over all times that the test is looked at."),
            .value("minimum_events", \.minimumEvents, .integer(0...1_000_000_000_000), .restart, "Events compared before anything is decided."),
            .value("automatic", \.automatic, .flag, .restart, "Whether the daemon promotes by itself, or waits to be told."),
        ])
    }
}

extension Configuration.Refining {
    static var section: Section<Self> {
        Section(entries: [
            .value("budget", \.budget, .number(0...1), .live, "Share of one processor, at most, that goes into it while trainers have nothing to do; 0 for none."),
            .value("after", \.after, .integer(1...1_000_000_000_000), .live, "Events that must be learned between two rounds through all users."),
        ])
    }
}

extension Configuration.Explorations {
    static var section: Section<Self> {
        Section(entries: [
            .value("method", \.method, .choice, .restart, "epsilon: now and then any item; thompson: by draws around each score, wide for rows with few updates."),
            .value("epsilon", \.epsilon, .number(0...1), .restart, "epsilon: the chance of any item, at each place of a list."),
            .value("scale", \.scale, .number(0...1000), .restart, "thompson: deviation of the score of a row without updates; it falls with √(updates + 1)."),
            .group("log", \.log, Configuration.Explorations.Log.section, "Explored lists with their propensities, for later evaluation."),
        ])
    }
}

extension Configuration.Explorations.Log {
    static var section: Section<Self> {
        Section(entries: [
            .value("enabled", \.enabled, .flag, .restart, "Whether there is one; it names users."),
            .value("directory", \.directory, .path, .restart, "Where it goes; {state} stands for state.directory."),
            .value("bytes", \.bytes, .size(ByteSize(bytes: 65_536)...ByteSize(mebibytes: 65_536)), .restart, "Size at which a new file is begun."),
            .value("files", \.files, .integer(1...1000), .restart, "How many files stay."),
        ])
    }
}

extension SettingType where Value == [String: Double] {
    /// Numbers by name, each from 0 on.
    static var shares: SettingType {
        SettingType(
            expected: "shares by model such as {a: 90, b: 10}", name: "shares by model",
            read: { node in
                guard case .mapping(let members) = node.content else { return nil }
                var shares: [String: Double] = [:]
                for member in members {
                    guard let share = member.node.text.flatMap(Double.init), share.isFinite, share >= 0 else { return nil }
                    shares[member.name] = share
                }
                return shares
            },
            write: { shares in
                "{" + shares.sorted { $0.key < $1.key }.map { "\(quoted($0.key)): \(Configuration.Experiment.shown($0.value))" }.joined(separator: ", ") + "}"
            })
    }
}

extension Configuration.Experiment {
    static func shown(_ share: Double) -> String { share == share.rounded() && abs(share) < 1e9 ? "\(Int(share))" : "\(share)" }
}

// MARK: - Checks

extension Configuration {
    /// The number of the model with a name; of an empty one, the first.
    func place(ofModel name: String) -> Int? { name.isEmpty ? 0 : models.firstIndex { $0.name == name } }

    /// Checks what chooses among models.
    func validateChoice(_ reader: inout SettingReader) {
        let names = models.map(\.name).joined(separator: ", ")
        for name in experiment.split.keys.sorted() where !models.contains(where: { $0.name == name }) {
            reader.fault("experiment.split", "there is no model `\(name)`; there is \(names)")
        }
        let total = experiment.split.values.reduce(0, +)
        if !experiment.split.isEmpty, abs(total - 100) > 1e-9 {
            reader.fault("experiment.split", "the shares are \(Experiment.shown(total)) together; make them 100")
        }
        guard !promotion.model.isEmpty else {
            if promotion.automatic { reader.fault("promotion.automatic", "needs promotion.model: the model to be promoted") }
            return
        }
        for (key, name) in [("model", promotion.model), ("against", promotion.against)] where place(ofModel: name) == nil {
            reader.fault("promotion.\(key)", "there is no model `\(name)`; there is \(names)")
        }
        guard let model = place(ofModel: promotion.model), let other = place(ofModel: promotion.against) else { return }
        if model == other { reader.fault("promotion.model", "`\(promotion.model)` is also promotion.against; compare it with another model") }
        validateMeasure(models[model], models[other], &reader)
    }

    /// Losses are compared only where they mean the same.
    private func validateMeasure(_ model: Model, _ other: Model, _ reader: inout SettingReader) {
        func differ(_ what: String) {
            reader.fault("promotion.measure", "`\(model.name)` and `\(other.name)` have other \(what), so that their losses do not compare; take measure: auc, or make them alike")
        }
        switch promotion.measure {
        case .loss:
            if model.loss != other.loss || model.unobserved != other.unobserved { return differ("losses") }
            if model.negatives != other.negatives { differ("negatives") }
        case .auc:
            for each in [model, other] where each.negatives.count == 0 && each.unobserved == .sampled {
                reader.fault("promotion.measure", "`\(each.name)` draws no negatives, and auc compares with them; take measure: loss")
            }
            if model.negatives.popularityExponent != other.negatives.popularityExponent || model.negatives.verified != other.negatives.verified {
                reader.fault("promotion.measure", "`\(model.name)` and `\(other.name)` draw their negatives in other ways; make negatives.popularity_exponent and verified alike")
            }
        }
    }
}

extension Configuration {
    /// Which two models the engine compares.
    var comparison: ComparisonSettings? {
        guard !promotion.model.isEmpty, let model = place(ofModel: promotion.model), let other = place(ofModel: promotion.against) else { return nil }
        return ComparisonSettings(model: model, against: other, measure: promotion.measure)
    }
}

extension Configuration.Explorations {
    /// How a list is explored by default; nil for not at all.
    var exploration: Exploration? {
        switch method {
        case .none: nil
        case .epsilon: .epsilon(Double(epsilon))
        case .thompson: .thompson(scale: Double(scale))
        }
    }
}
