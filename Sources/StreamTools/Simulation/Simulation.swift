import Glibc

/// A stream of events whose truth is known, so that what a model learns from it can be judged.
///
/// Each user has a taste g_u(t) for each topic t (Gaussian, centred), each item belongs to a main topic (0.8) and to a
/// second one (0.2): m_i(t). A user's next event takes a topic in proportion to θ_u(t) = exp(s·g_u(t)), times the hour's
/// factor, and an item of that topic in proportion to m_i(t)·w_i, with Zipf weights w_i. So the probability of an item
/// is Σ_t θ_u(t)·φ_t(i) exactly: a matrix of rank `topics`, known in closed form.
///
/// A value type: a copy goes on by itself with the same future. One thread at a time.
public struct Simulation: Sendable {
    /// A generated event; users and items are ordinals from 0, their ids one more.
    public struct Event: Sendable, Equatable {
        public var user: Int
        public var item: Int
        public var action: Action
        /// 1…5 for a rating, otherwise 0.
        public var value: Float
        public var timeMilliseconds: Int64
        /// Hour of the day, 0…23.
        public var hour: Int
    }
    public enum Action: String, Sendable {
        case view, cart, buy, rating
    }

    public static let topicNames = [
        "Sci-fi", "Comedy", "Western", "Mystery", "Romance", "Horror", "History", "Nature", "Cooking", "Travel", "Music",
        "Sports", "Poetry", "Science", "Fantasy", "Politics",
    ]

    static let mainShare: Float = 0.8

    public let settings: SimulationSettings
    /// Events generated so far.
    public private(set) var generated = 0

    /// Main and second topic of each item.
    let mainTopic: [UInt8]
    let secondTopic: [UInt8]
    /// Zipf weight of each item.
    let weight: [Float]
    /// Mean rating of an item beyond its topic, and of a user.
    let quality: [Float]
    let leniency: [Float]
    /// Tastes, `topics` a user, as they stand.
    private(set) var taste: [Float]
    /// exp(s·taste), summed along a user's topics up to each.
    private(set) var cumulative: [Float]
    /// Factor of a topic at an hour, 24 a topic.
    let hourFactor: [Float]
    /// Items 0..<available can occur.
    private(set) var available: Int
    /// Σ m_i(t)·w_i over the available items.
    private(set) var topicMass: [Double] = []
    private var topicItems: [TopicItems] = []
    private let userTable: AliasTable
    private var random: RandomSource
    /// Event at which drift or cold items come next; `Int.max` when nothing will.
    private var nextChange: Int

    /// The items of a topic, with a way to draw one.
    private struct TopicItems: Sendable {
        var items: [UInt32]
        var table: AliasTable
    }

    /// Throws for a setting outside its range.
    public init(_ settings: SimulationSettings) throws(StreamToolsError) {
        try settings.check()
        self.settings = settings
        let topics = settings.topics
        var random = RandomSource(seed: settings.seed)

        // Every topic gets an item among the first, so that none is empty before the cold items come.
        mainTopic = (0..<settings.items).map { UInt8($0 < topics ? $0 : random.below(topics)) }
        secondTopic = mainTopic.map { UInt8((Int($0) + (topics > 1 ? 1 + random.below(topics - 1) : 0)) % topics) }
        var ranks = Array(0..<settings.items)
        ranks.shuffle(using: &random)
        weight = ranks.map { Float(pow(Double($0 + 1), -settings.popularityExponent)) }
        quality = (0..<settings.items).map { _ in 0.4 * random.gaussian() }
        leniency = (0..<settings.users).map { _ in 0.3 * random.gaussian() }

        var taste = [Float](repeating: 0, count: settings.users * topics)
        for user in 0..<settings.users {
            let row = user * topics..<(user + 1) * topics
            for index in row { taste[index] = random.gaussian() }
            let mean = taste[row].reduce(0, +) / Float(topics)
            for index in row { taste[index] -= mean }
        }
        self.taste = taste
        cumulative = Simulation.cumulative(taste: taste, settings: settings)

        hourFactor = (0..<topics).flatMap { topic in
            (0..<24).map { hour in
                let angle = 2 * Double.pi * (Double(hour) / 24 - Double(topic) / Double(topics))
                return settings.hours ? Float(exp(cos(angle))) : 1
            }
        }
        var activity = (0..<settings.users).map { pow(Double($0 + 1), -settings.activityExponent) }
        activity.shuffle(using: &random)
        userTable = AliasTable(weights: activity)
        self.random = random
        available = settings.items - (settings.coldItemsAt > 0 ? Int(Double(settings.items) * settings.coldItemFraction) : 0)
        nextChange = Int.max
        buildTopics()
        scheduleChange()
        if settings.drift != nil && settings.driftAt == 0 { applyChanges() }
    }

    private static func cumulative(taste: [Float], settings: SimulationSettings) -> [Float] {
        let topics = settings.topics
        let strength = Float(settings.tasteStrength)
        var result = [Float](repeating: 0, count: taste.count)
        for user in 0..<settings.users {
            var sum: Float = 0
            for index in user * topics..<(user + 1) * topics {
                sum += exp(strength * taste[index])
                result[index] = sum
            }
        }
        return result
    }

    private mutating func buildTopics() {
        var items = [[UInt32]](repeating: [], count: settings.topics)
        var weights = [[Double]](repeating: [], count: settings.topics)
        for item in 0..<available {
            let main = Int(mainTopic[item])
            let second = Int(secondTopic[item])
            items[main].append(UInt32(item))
            weights[main].append(Double(weight[item] * Simulation.mainShare))
            items[second].append(UInt32(item))
            weights[second].append(Double(weight[item] * (1 - Simulation.mainShare)))
        }
        topicMass = weights.map { $0.reduce(0, +) }
        topicItems = zip(items, weights).map { TopicItems(items: $0, table: AliasTable(weights: $1)) }
    }

    private mutating func scheduleChange() {
        var changes: [Int] = []
        if settings.drift != nil { changes.append(settings.driftAt) }
        if settings.coldItemFraction > 0 { changes.append(settings.coldItemsAt) }
        nextChange = changes.filter { $0 > generated }.min() ?? Int.max
    }

    /// Applies what is due at event `generated`.
    private mutating func applyChanges() {
        if let drift = settings.drift, settings.driftAt == generated {
            let topics = settings.topics
            let before = taste
            for index in taste.indices {
                switch drift {
                case .flip: taste[index] = -before[index]
                case .rotate:
                    let user = index / topics
                    taste[index] = before[user * topics + (index - user * topics + max(1, topics / 2)) % topics]
                }
            }
            cumulative = Simulation.cumulative(taste: taste, settings: settings)
        }
        if settings.coldItemFraction > 0, settings.coldItemsAt == generated, available < settings.items {
            available = settings.items
            buildTopics()
        }
        scheduleChange()
    }

    /// The next event.
    public mutating func next() -> Event {
        if generated == nextChange { applyChanges() }
        let time = settings.startMilliseconds + Int64(generated) * settings.stepMilliseconds
        let hour = Int((time / 3_600_000) % 24)
        generated += 1
        let user = userTable.draw(&random)
        let topic = drawTopic(user: user, hour: hour)
        let item = drawItem(topic: topic)
        var event = Event(user: user, item: item, action: .view, value: 0, timeMilliseconds: time, hour: hour)
        switch settings.feedback {
        case .ratings:
            event.action = .rating
            let noisy = expectedRating(user: user, item: item) + 0.6 * random.gaussian()
            event.value = min(5, max(1, noisy.rounded()))
        case .implicit:
            // Who likes an item buys it rather than only looking at it.
            let buying = 0.05 + 0.1 / (1 + exp(-affinity(user: user, item: item)))
            let chance = Float(random.unit())
            if chance < buying { event.action = .buy } else if chance < 2 * buying { event.action = .cart }
        }
        return event
    }

    /// An item that `user` might take next, drawn from the truth as it stands, outside the stream: for hit rates.
    public func sample(user: Int, hour: Int = 12, using random: inout RandomSource) -> Int {
        drawItem(topic: drawTopic(user: user, hour: hour, using: &random), using: &random)
    }

    private mutating func drawTopic(user: Int, hour: Int) -> Int { drawTopic(user: user, hour: hour, using: &random) }
    private mutating func drawItem(topic: Int) -> Int { drawItem(topic: topic, using: &random) }

    @inline(__always)
    private func drawItem(topic: Int, using random: inout RandomSource) -> Int {
        Int(topicItems[topic].items[topicItems[topic].table.draw(&random)])
    }

    private func drawTopic(user: Int, hour: Int, using random: inout RandomSource) -> Int {
        let topics = settings.topics
        let first = user * topics
        if !settings.hours {
            let target = Float(random.unit()) * cumulative[first + topics - 1]
            for topic in 0..<topics - 1 where target < cumulative[first + topic] { return topic }
            return topics - 1
        }
        var total: Float = 0
        for topic in 0..<topics { total += topicWeight(user: user, topic: topic, hour: hour) }
        var target = Float(random.unit()) * total
        for topic in 0..<topics - 1 {
            target -= topicWeight(user: user, topic: topic, hour: hour)
            if target < 0 { return topic }
        }
        return topics - 1
    }

    /// θ_u(t) at an hour, before normalising.
    @inline(__always)
    func topicWeight(user: Int, topic: Int, hour: Int) -> Float {
        let index = user * settings.topics + topic
        let own = topic == 0 ? cumulative[index] : cumulative[index] - cumulative[index - 1]
        return own * hourFactor[topic * 24 + hour]
    }
}

extension RandomSource {
    /// Normal with mean 0 and variance 1 (Box and Muller 1958).
    mutating func gaussian() -> Float {
        let radius = (-2 * log(1 - unit())).squareRoot()
        return Float(radius * cos(2 * Double.pi * unit()))
    }
}
