import Factorization

/// User–item pairs with integer ids, held in memory in the order in which they are to be learned.
public struct InteractionFile: Sendable {
    public var pairs: [(user: Int64, item: Int64)]

    public init(pairs: [(user: Int64, item: Int64)]) { self.pairs = pairs }

    /// Reads a file of interactions; values and times are left out.
    /// - Throws: as `DatasetReader`; `invalidSetting` where an id is no integer.
    public init(path: String) throws(StreamToolsError) {
        let reader = try DatasetReader(path: path)
        pairs = []
        while let record = try reader.next() {
            guard case .event(let event) = record, case .integer(let user) = event.user, case .integer(let item) = event.item
            else {
                throw .malformedLine(path: path, line: reader.lineNumber, reason: "user and item are integers here")
            }
            pairs.append((user, item))
        }
    }

    /// How the interactions of a file are put into a stream. All keep each user's own order.
    public enum Order: String, Sendable, CaseIterable {
        /// As the file has them.
        case stream
        /// Each user starts at a uniform random time; that user's events are spread evenly over 5 % of the stream.
        case window
        /// Sorted by user, highest id first, each user's events contiguous.
        case burst
    }

    /// The same interactions in another order.
    /// - Parameter seed: draws the users' starts for `window`.
    public func ordered(_ order: Order, seed: UInt64) -> InteractionFile {
        switch order {
        case .stream: return self
        case .burst:
            let sorted = pairs.enumerated().sorted {
                $0.element.user != $1.element.user ? $0.element.user > $1.element.user : $0.offset < $1.offset
            }
            return InteractionFile(pairs: sorted.map(\.element))
        case .window:
            var counts: [Int64: Int] = [:]
            for pair in pairs { counts[pair.user, default: 0] += 1 }
            var places: [Int64: Int] = [:]
            let timed = pairs.enumerated().map { offset, pair in
                let start = Double(mix64(seed ^ mix64(UInt64(bitPattern: pair.user))) >> 11) / Double(1 << 53)
                let place = places[pair.user, default: 0]
                places[pair.user] = place + 1
                return (time: start + 0.05 * Double(place) / Double(counts[pair.user]!), offset: offset, pair: pair)
            }
            return InteractionFile(pairs: timed.sorted { ($0.time, $0.offset) < ($1.time, $1.offset) }.map(\.pair))
        }
    }
}
