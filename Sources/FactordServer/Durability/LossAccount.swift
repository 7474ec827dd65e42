import Factorization

/// What became known of a stream's losses: from the numbers that its publishers give their messages.
struct LossCounts: Equatable, Sendable {
    /// Publishers that are told apart now.
    var sources = 0
    /// Gaps seen, and messages missing in them and at ends that beats told of. One that comes late is missing no more.
    var gaps: UInt64 = 0
    var missing: UInt64 = 0
    /// Messages that came after a later one, and that came twice.
    var reordered: UInt64 = 0
    var duplicates: UInt64 = 0
    /// Messages of an epoch that a newer one had ended.
    var stale: UInt64 = 0
    /// The newest gap.
    var last: LossRange?
}

/// Messages that did not come.
struct LossRange: Equatable, Sendable {
    var source: String
    var epoch: UInt64
    var first: UInt64
    var last: UInt64
}

/// Keeps count of what did not arrive on one `sub` or `pull` stream. It cannot bring it back; `acknowledged` streams can.
///
/// A source's first message says where it was joined. From there on, numbers that are passed over are missing, until they come late;
/// of the newest gaps `rangesKept` are remembered for that, older latecomers count as duplicates. A new epoch of a known source
/// begins at 1. A beat's last number shows what is missing at the end. Bounded: at the limit the source heard of longest ago goes.
///
/// Belongs to the receiver of the stream.
struct LossAccount {
    private struct Source {
        var epoch: UInt64
        /// The number that comes next.
        var next: UInt64
        /// Missing numbers, oldest first.
        var missing: [ClosedRange<UInt64>] = []
        var heard: UInt64 = 0
    }

    /// Gaps of a source that latecomers can close.
    static let rangesKept = 64

    let limit: Int
    private(set) var counts = LossCounts()
    private var places: [[UInt8]: Int] = [:]
    private var names: [[UInt8]] = []
    private var sources: [Source] = []
    private var recent = -1
    private var messages: UInt64 = 0

    init(limit: Int) { self.limit = limit }

    /// Takes note of a numbered message, or of a beat, whose number is that of the last message sent. Not for the later parts of a
    /// message.
    mutating func note(_ name: some Collection<UInt8>, epoch: UInt64, sequence: UInt64, isBeat: Bool) {
        messages += 1
        guard let place = find(name) else {
            // Joined here. What a beat tells of was before our time.
            return add(Array(name), Source(epoch: epoch, next: sequence &+ 1, heard: messages))
        }
        sources[place].heard = messages
        if epoch != sources[place].epoch {
            guard epoch > sources[place].epoch else { return counts.stale += isBeat ? 0 : 1 }
            sources[place] = Source(epoch: epoch, next: 1, heard: messages)
        }
        let next = sources[place].next
        // A beat stands behind the message that it names, as if one more had come.
        let arrived = isBeat ? sequence &+ 1 : sequence
        if arrived > next { lose(place, next...(arrived - 1)) }
        if arrived >= next {
            sources[place].next = isBeat ? arrived : arrived &+ 1
        } else if !isBeat {
            findAgain(place, sequence)
        }
    }

    private mutating func lose(_ place: Int, _ range: ClosedRange<UInt64>) {
        counts.gaps += 1
        // A publisher that tells numbers out of the air must not stop the daemon.
        let count = range.upperBound - range.lowerBound
        counts.missing = counts.missing.addingReportingOverflow(count).overflow ? .max >> 1 : counts.missing + count
        counts.missing += 1
        counts.last = LossRange(
            source: String(decoding: names[place], as: UTF8.self), epoch: sources[place].epoch, first: range.lowerBound, last: range.upperBound)
        sources[place].missing.append(range)
        if sources[place].missing.count > LossAccount.rangesKept { sources[place].missing.removeFirst() }
    }

    /// A number lower than the next: late, where it was missed, else a duplicate.
    private mutating func findAgain(_ place: Int, _ sequence: UInt64) {
        guard let index = sources[place].missing.firstIndex(where: { $0.contains(sequence) }) else { return counts.duplicates += 1 }
        counts.reordered += 1
        counts.missing -= 1
        let range = sources[place].missing[index]
        var rest: [ClosedRange<UInt64>] = []
        if sequence > range.lowerBound { rest.append(range.lowerBound...(sequence - 1)) }
        if sequence < range.upperBound { rest.append((sequence + 1)...range.upperBound) }
        sources[place].missing.replaceSubrange(index...index, with: rest)
    }

    private mutating func find(_ name: some Collection<UInt8>) -> Int? {
        if recent >= 0, names[recent].elementsEqual(name) { return recent }
        guard let place = places[Array(name)] else { return nil }
        recent = place
        return place
    }

    private mutating func add(_ name: [UInt8], _ source: Source) {
        if sources.count < limit {
            recent = sources.count
            sources.append(source)
            names.append(name)
        } else {
            // Seldom, and bounded: no more sources than the limit are looked through.
            recent = sources.indices.min { sources[$0].heard < sources[$1].heard }!
            places[names[recent]] = nil
            sources[recent] = source
            names[recent] = name
        }
        places[name] = recent
        counts.sources = sources.count
    }
}
