import Factorization

/// When something becomes durable: the number of its journal record, and the era of the storage in which that was appended.
/// An era ends where the journal has lost records (`JournalKeeper`).
struct DurabilityTicket: Equatable, Sendable {
    var number: UInt64
    var era: UInt64
    /// Of what lies on disk already.
    static let durable = DurabilityTicket(number: 0, era: 0)
}

/// What acknowledged streams have taken from each source: exactly the messages 1, 2, 3 … of its newest epoch.
///
/// A message is taken whole, in order, once. One that spans batches is taken in parts; where a crash came between two, `partial`
/// knows how many of its records are in, and when it is sent again those are passed over.
///
/// Bounded: the source that was silent for longest goes, and must begin a new epoch at 1. Only messages that were taken count as
/// signs of life, so that replaying the journal gives the same table. Belongs to who has the turn at `Ingest`.
struct SourceTable {
    private struct Source {
        var name: [UInt8]
        var epoch: UInt64
        /// The last message taken whole; 0 for none.
        var last: UInt64 = 0
        /// Records taken of the message after it; 0 for none. A message is in parts only where a part held records.
        var partial: UInt64 = 0
        /// Where its present sending stands; equal to `partial` but for one that is sent again.
        var cursor: UInt64 = 0
        var ticket = DurabilityTicket.durable
        var position: UInt64 = 0
        /// Neighbours in the order of last signs of life.
        var older = SourceTable.none, newer = SourceTable.none
    }

    enum Verdict: Equatable {
        /// Without its first so many records, which are in already.
        case take(skipping: Int)
        /// Taken before.
        case duplicate(DurabilityTicket, position: UInt64)
        /// Another message comes first.
        case expected(UInt64)
        /// A newer epoch has begun.
        case oldEpoch(UInt64)
    }

    /// Sources held at most.
    let limit: Int
    private var places: [[UInt8]: Int] = [:]
    private var sources: [Source] = []
    private var oldest = SourceTable.none, newest = SourceTable.none
    /// The source of the message before: streams repeat themselves.
    private var recent = SourceTable.none
    /// Sources that went to make room.
    private(set) var expired = 0
    private static let none = -1

    init(limit: Int) {
        precondition(limit >= 1, "a table of no sources could take nothing")
        self.limit = limit
    }

    var count: Int { sources.count }

    // MARK: Looking

    /// What is to become of the records of a message's entry. Notes nothing but how far a repeated message has come.
    mutating func verdict(_ entry: MessageEntry, of batch: EventBatch) -> Verdict {
        let place = find(batch.text(entry.source))
        guard place != SourceTable.none else {
            return entry.sequence == 1 && !entry.isContinuation ? .take(skipping: 0) : .expected(1)
        }
        let source = sources[place]
        if entry.epoch < source.epoch { return .oldEpoch(source.epoch) }
        if entry.epoch > source.epoch { return entry.sequence == 1 && !entry.isContinuation ? .take(skipping: 0) : .expected(1) }
        if entry.sequence <= source.last { return .duplicate(source.ticket, position: source.position) }
        guard entry.sequence == source.last + 1 else { return .expected(source.last + 1) }
        if !entry.isContinuation { sources[place].cursor = 0 }
        let before = sources[place].cursor
        // A part whose beginning nobody took: that sending was refused, and this is its rest.
        guard !entry.isContinuation || before > 0 else { return .expected(entry.sequence) }
        sources[place].cursor += UInt64(entry.recordCount)
        return .take(skipping: Int(min(UInt64(entry.recordCount), max(source.partial, before) - before)))
    }

    /// The message that a source is to send next, in its newest epoch, and the epoch; nil for one that is not known.
    mutating func next(of name: some Collection<UInt8>) -> (epoch: UInt64, sequence: UInt64)? {
        let place = find(name)
        return place == SourceTable.none ? nil : (sources[place].epoch, sources[place].last + 1)
    }

    // MARK: Taking

    /// Notes that an entry's records are taken, those that stay of it: now, or when the journal is replayed.
    mutating func take(_ entry: MessageEntry, of batch: EventBatch, ticket: DurabilityTicket, position: UInt64) {
        let name = batch.text(entry.source)
        var place = find(name)
        var isNew = place == SourceTable.none
        if isNew { place = add(Array(name), epoch: entry.epoch) }
        if entry.epoch != sources[place].epoch {
            isNew = true
            sources[place].epoch = entry.epoch
            sources[place].last = 0
            sources[place].partial = 0
            sources[place].cursor = 0
        }
        if entry.isComplete {
            sources[place].last = entry.sequence
            sources[place].partial = 0
            sources[place].cursor = 0
        } else {
            sources[place].partial += UInt64(entry.recordCount)
            // Of a source or epoch that was known, `verdict` has noted where the sending stands.
            if isNew { sources[place].cursor = sources[place].partial }
        }
        sources[place].ticket = ticket
        sources[place].position = position
        touch(place)
    }

    /// Notes when the messages taken become durable, and their position, once that is known.
    mutating func mark(_ entry: MessageEntry, of batch: EventBatch, ticket: DurabilityTicket, position: UInt64) {
        let place = find(batch.text(entry.source))
        guard place != SourceTable.none else { return }
        sources[place].ticket = ticket
        sources[place].position = position
    }

    /// The sending of a message is refused for a reason that lies not in the message: it will begin again.
    mutating func refuse(_ entry: MessageEntry, of batch: EventBatch) {
        let place = find(batch.text(entry.source))
        if place != SourceTable.none { sources[place].cursor = 0 }
    }

    // MARK: Places

    private mutating func find(_ name: some Collection<UInt8>) -> Int {
        if recent != SourceTable.none, sources[recent].name.elementsEqual(name) { return recent }
        guard let place = places[Array(name)] else { return SourceTable.none }
        recent = place
        return place
    }

    private mutating func add(_ name: [UInt8], epoch: UInt64) -> Int {
        let place: Int
        if sources.count < limit {
            place = sources.count
            sources.append(Source(name: name, epoch: epoch))
        } else {
            place = oldest
            unlink(place)
            places[sources[place].name] = nil
            sources[place] = Source(name: name, epoch: epoch)
            expired += 1
        }
        places[name] = place
        link(place)
        recent = place
        return place
    }

    private mutating func touch(_ place: Int) {
        guard place != newest else { return }
        unlink(place)
        link(place)
    }

    private mutating func unlink(_ place: Int) {
        let (older, newer) = (sources[place].older, sources[place].newer)
        if older == SourceTable.none { oldest = newer } else { sources[older].newer = newer }
        if newer == SourceTable.none { newest = older } else { sources[newer].older = older }
    }

    private mutating func link(_ place: Int) {
        sources[place].older = newest
        sources[place].newer = SourceTable.none
        if newest == SourceTable.none { oldest = place } else { sources[newest].newer = place }
        newest = place
    }
}

// MARK: - On disk

extension SourceTable {
    /// The table for a snapshot: a count u32, then for each source, the one silent for longest first: length of its name u8 and
    /// name, epoch, last, partial and position u64, little-endian.
    func encoded() -> [UInt8] {
        var bytes: [UInt8] = []
        func put(_ value: UInt64, size: Int = 8) { for byte in 0..<size { bytes.append(UInt8(truncatingIfNeeded: value >> (8 * byte))) } }
        put(UInt64(sources.count), size: 4)
        var place = oldest
        while place != SourceTable.none {
            let source = sources[place]
            put(UInt64(source.name.count), size: 1)
            bytes += source.name
            for number in [source.epoch, source.last, source.partial, source.position] { put(number) }
            place = source.newer
        }
        return bytes
    }

    /// A table as it was saved. Where it held more than `limit`, those silent for longest are left out.
    init?(_ bytes: some Collection<UInt8>, limit: Int) {
        self.init(limit: limit)
        var rest = Array(bytes)[...]
        func number(_ size: Int) -> UInt64? {
            guard rest.count >= size else { return nil }
            defer { rest = rest.dropFirst(size) }
            return rest.prefix(size).reversed().reduce(0) { $0 << 8 | UInt64($1) }
        }
        guard let count = number(4) else { return nil }
        for _ in 0..<count {
            guard let length = number(1), length >= 1, rest.count >= length else { return nil }
            let name = Array(rest.prefix(Int(length)))
            rest = rest.dropFirst(Int(length))
            guard let epoch = number(8), let last = number(8), let partial = number(8), let position = number(8), places[name] == nil else {
                return nil
            }
            let place = add(name, epoch: epoch)
            sources[place].last = last
            sources[place].partial = partial
            sources[place].position = position
        }
        expired = 0
        guard rest.isEmpty else { return nil }
    }
}
