/// What the users of data files valued most: for showing beside what is recommended to them.
public struct UserTastes: Sendable {
    /// What is known of one user.
    public struct Taste: Sendable, Equatable {
        public var events = 0
        /// The highest value that the user gave; nil without values.
        public var topValue: Float?
        /// The items of that value (all items without values), in file order.
        public var items: [EventID] = []
    }

    public private(set) var tastes: [EventID: Taste] = [:]

    public init() {}

    /// Reads files as `publish` does; lines that hold no plain event are passed over.
    public static func read(paths: [String], options: DatasetOptions) throws(StreamToolsError) -> UserTastes {
        var tastes = UserTastes()
        let json = JSONEventReader()
        for path in paths {
            let reader = try DatasetReader(path: path, options: options)
            while let record = try reader.next() {
                switch record {
                case .event(let event): tastes.add(event)
                case .json(let line): if let event = json.plainEvent(line) { tastes.add(event) }
                }
            }
        }
        return tastes
    }

    /// Takes in an event.
    public mutating func add(_ event: DatasetEvent) {
        var taste = tastes.removeValue(forKey: event.user) ?? Taste()
        taste.events += 1
        if let value = event.value, value > taste.topValue ?? -.infinity {
            taste.topValue = value
            taste.items = [event.item]
        } else if event.value == taste.topValue {
            taste.items.append(event.item)
        }
        tastes[event.user] = taste
    }

    /// The `count` users with the most items of highest value, ties by id.
    public func eager(count: Int) -> [EventID] {
        let highest = tastes.values.compactMap(\.topValue).max()
        return Array(
            tastes.filter { $0.value.topValue == highest }
                .sorted { ($1.value.items.count, $0.key.description) < ($0.value.items.count, $1.key.description) }
                .map(\.key).prefix(count))
    }
}
