/// Labelled events over groups of features, one feature of each group an event: user and item, or user, item and more.
public struct Observations: Sendable {
    /// Features of each group.
    public let sizes: [Int]
    /// By group and event: the feature's number within its group.
    public let features: [[Int]]
    public let labels: [Double]
    /// Factor on an event's loss.
    public let weights: [Double]
    /// By group: events of feature f are `order[group][starts[group][f]..<starts[group][f + 1]]`.
    let order: [[Int]]
    let starts: [[Int]]

    public var count: Int { labels.count }
    public var groups: Int { sizes.count }

    /// - Precondition: every group names one feature for each event, within its size.
    public init(sizes: [Int], features: [[Int]], labels: [Double], weights: [Double]? = nil) {
        precondition(features.count == sizes.count && features.allSatisfy { $0.count == labels.count }, "one feature of each group an event")
        precondition(weights?.count ?? labels.count == labels.count, "one weight an event")
        self.sizes = sizes
        self.features = features
        self.labels = labels
        self.weights = weights ?? [Double](repeating: 1, count: labels.count)
        var order: [[Int]] = [], starts: [[Int]] = []
        for (group, size) in sizes.enumerated() {
            var start = [Int](repeating: 0, count: size + 1)
            for feature in features[group] { start[feature + 1] += 1 }
            for feature in 0..<size { start[feature + 1] += start[feature] }
            var next = start, sorted = [Int](repeating: 0, count: labels.count)
            for (event, feature) in features[group].enumerated() {
                sorted[next[feature]] = event
                next[feature] += 1
            }
            order.append(sorted)
            starts.append(start)
        }
        self.order = order
        self.starts = starts
    }

    /// Interactions without labels: users and items by number.
    public init(_ pairs: [(user: Int, item: Int)], users: Int, items: Int) {
        self.init(
            sizes: [users, items], features: [pairs.map(\.user), pairs.map(\.item)], labels: [Double](repeating: 1, count: pairs.count))
    }

    /// The events of one feature.
    func events(_ group: Int, _ feature: Int) -> ArraySlice<Int> { order[group][starts[group][feature]..<starts[group][feature + 1]] }
}

/// What an event costs.
public enum AlternatingLoss: String, Sendable {
    /// ½(score − label)².
    case squared
    /// ln(1 + e^score) − label · score, label 0…1.
    case logistic
}
