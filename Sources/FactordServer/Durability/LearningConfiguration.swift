import Factorization

/// The part of a configuration that decides what is learned from a stream: snapshots and journal segments carry it as text, so
/// that what they hold is taken up under the settings under which it was learned, whatever the configuration says now.
enum LearningConfiguration {
    /// The snapshot's section.
    static let section = "configuration"
    /// Far more than any configuration has.
    static let sizeLimit: UInt64 = 1 << 20

    /// YAML of every key that matters; all others, such as endpoints and the number of threads, stand at their defaults.
    static func text(_ configuration: Configuration) -> String {
        var learning = Configuration()
        learning.ids = configuration.ids
        learning.models = configuration.models
        // What is compared; how it is decided does not matter here, for a decision is a record of the journal.
        learning.promotion.model = configuration.promotion.model
        learning.promotion.against = configuration.promotion.against
        learning.promotion.measure = configuration.promotion.measure
        learning.events = configuration.events
        learning.history = configuration.history
        learning.popularity = configuration.popularity
        learning.replay = configuration.replay
        learning.memory = configuration.memory
        learning.state.sources = configuration.state.sources
        learning.threads.receivers = 1
        learning.threads.trainers = 1
        learning.threads.scorers = 1
        learning.threads.answerers = 1
        return learning.yaml(commented: false)
    }

    /// The configuration that a text stands for; where it came from is for messages.
    static func load(_ text: String, from file: String) throws(ConfigurationError) -> Configuration {
        try Configuration.load(yaml: text, file: file).configuration
    }

    /// What differs between two texts, a line each: for the log.
    static func changes(from old: String, to new: String) -> [String] {
        let before = Set(old.split(separator: "\n")), after = new.split(separator: "\n")
        return after.filter { !before.contains($0) }.map { $0.trimmingPrefix { $0 == " " } }.map(String.init)
    }
}
