/// What tables may take, and who gets a row.
public struct MemorySettings: Sendable, Equatable {
    /// Bytes of everything that grows with ids, of their attributes, of histories and of the replay reservoir; 0 for no bound.
    public var budget = 0
    /// Times that an id must come before it gets a row, once the tables are 80 % full; 1…15.
    public var admissionSightings = 2
    /// Positions after which a row that no event named may go; 0 for never, else `shortestIdle` or more.
    public var idleEvents = 0
    public static let shortestIdle = 1000

    public init() {}
}

/// The sides of an engine whose ids have rows.
enum RowSide: Int, CaseIterable {
    case users, items, contexts, userAttributes, itemAttributes

    /// Rows of attributes stay: other rows' lists name them.
    var isEvictable: Bool { rawValue <= RowSide.contexts.rawValue }
    /// What a side may take of all bytes, so that a flood of one kind of id leaves room for the others.
    var share: Double {
        switch self {
        case .users, .items: 0.75
        case .contexts: 0.25
        case .userAttributes, .itemAttributes: 0.125
        }
    }
}

/// Who has a row and who must give it up, within a budget of bytes.
///
/// * Until 80 % full, an id gets a row when it first comes; above, once `Sightings` has seen it often enough.
/// * As the budget is reached, rows are evicted so that a sixteenth of a side's ordinals is free or on the way there. The one to go is the
///   least of 16 that the hand meets: by decayed frequency, then by how long ago it was last seen. The hand goes on from there.
/// * A row that nobody named for `idleEvents` positions goes when the idle hand, once round in as many records, meets it.
/// * Hidden items stay: they would come back unhidden.
///
/// **Quarantine.** The ordinals of ids that were evicted or forgotten form a batch. A round of sweeps, a step every few records,
/// takes the batch's items out of all histories, seen sets and the replay reservoir. After it, and once every trainer has
/// applied it and every reader that was there has left, the ordinals are free. Where trainers or readers are late, the stream waits, so
/// that when an ordinal is free is a function of the records alone.
///
/// Everything here follows from records and their order. Thread safety: the sequencer's; plain fields. An object, because a struct
/// of so many arrays is copied, and each of them retained, whenever a method of it is called in a class; and without checks of
/// exclusive access, for its fields are looked at for each record.
final class RowKeeper {
    let settings: MemorySettings
    let tables: [EntityTable]
    /// Bytes of an id with all its rows, by side, without its text and its list of attributes.
    let costs: [Int]
    /// Bytes for ids and rows; the greatest number without a budget.
    let limit: Int
    let shares: [Int]
    let sightings: Sightings?
    /// Whether ordinals stand in places that only a sweep clears.
    let sweeps: Bool

    /// Records taken, whatever came of them.
    @exclusivity(unchecked) var taken: UInt64 = 0
    /// Whether the keeper has done its work beside the record that is next.
    @exclusivity(unchecked) var isDone = false
    /// Bytes counted by side, holes included, and of them all.
    @exclusivity(unchecked) private(set) var used: [Int]
    @exclusivity(unchecked) private(set) var total = 0
    @exclusivity(unchecked) var hands: [UInt32]
    @exclusivity(unchecked) var idleHands: [UInt32]
    @exclusivity(unchecked) var idleCredits: [UInt64]
    @exclusivity(unchecked) var quarantine = Quarantine()
    /// Ordinals that can be given to other ids, by side.
    @exclusivity(unchecked) var free: [[UInt32]]
    /// Whether there is anything to do beside records.
    @exclusivity(unchecked) private(set) var isActive: Bool

    static let sampled = 16
    /// Rows that a hand passes in one go, holes and hidden ones included.
    static let passed = 64
    /// Records between the end of a round and the release, so that trainers need not be waited for.
    static let rest: UInt64 = 1024
    /// Records between two steps of a round, and users visited in one.
    static let stepEvery: UInt64 = 16
    static let usersPerStep = 64
    /// Freed rows that are worth a round where nothing is swept.
    static let plenty = 4096
    /// Records after which a round begins however small its batch.
    static let longestWait: UInt64 = 1 << 16

    /// - Parameters:
    ///   - costs: by `RowSide`.
    ///   - reserved: what the budget must also hold.
    init(settings: MemorySettings, tables: [EntityTable], costs: [Int], reserved: Int, sweeps: Bool) {
        precondition((1...15).contains(settings.admissionSightings), "sightings are 1 to 15")
        precondition(settings.idleEvents == 0 || settings.idleEvents >= MemorySettings.shortestIdle, "idle rows stay 1000 events at least")
        self.settings = settings
        self.tables = tables
        self.costs = costs
        self.sweeps = sweeps
        let sides = RowSide.allCases.count
        let sightings = settings.budget > 0 ? Sightings(bytes: settings.budget / 32) : nil
        let limit = settings.budget > 0 ? settings.budget - reserved - sightings!.bytes : .max
        precondition(limit > 0, "a budget of \(settings.budget) bytes leaves no room for rows")
        self.sightings = sightings
        self.limit = limit
        shares = RowSide.allCases.map { limit == .max ? .max : Int(Double(limit) * $0.share) }
        used = [Int](repeating: 0, count: sides)
        hands = [UInt32](repeating: 0, count: sides)
        idleHands = hands
        idleCredits = [UInt64](repeating: 0, count: sides)
        free = [[UInt32]](repeating: [], count: sides)
        isActive = settings.budget > 0 || settings.idleEvents > 0
    }

    var isLimited: Bool { limit != .max }

    /// Counts anew what a side takes, after an id came or went, or a list of attributes did.
    func recount(_ side: RowSide) {
        let table = tables[side.rawValue], bytes = table.count * costs[side.rawValue] + table.liveTextBytes + table.listBytes
        total += bytes - used[side.rawValue]
        used[side.rawValue] = bytes
        if table.holeCount > 0 { isActive = true }
    }

    // MARK: Admission

    enum Admission {
        /// A new ordinal, or that of a hole; `sightings` of the id before this one were counted.
        case grow(sightings: Int)
        case reuse(UInt32, sightings: Int)
        /// The id has not come often enough.
        case unseen
        /// No ordinal is free.
        case full
    }

    func admission(of key: Key, to side: RowSide, isOwed: Bool) -> Admission {
        var before = 0
        if isCrowded(side), let sightings {
            let seen = sightings.add(key.hash ^ mix64(UInt64(side.rawValue)))
            guard seen >= settings.admissionSightings || isOwed else { return .unseen }
            before = seen - 1
        }
        let text = key.isText ? TextArena.bytes(Int(key.length)) : 0
        if total <= limit - text, let ordinal = free[side.rawValue].popLast() { return .reuse(ordinal, sightings: before) }
        // Ordinals stay once they are there, so they must not take what lists, and longer texts than those before, will need.
        let kept = isLimited ? limit >> 6 : 0
        return hasRoom(side, costs[side.rawValue] + text + kept) ? .grow(sightings: before) : .full
    }

    /// Whether the ids that are known take 80 % of what they may.
    private func isCrowded(_ side: RowSide) -> Bool {
        guard isLimited else { return false }
        let holes = RowSide.allCases.reduce(0) { $0 + tables[$1.rawValue].holeCount * costs[$1.rawValue] }
        let ownHoles = tables[side.rawValue].holeCount * costs[side.rawValue]
        return (total - holes) / 4 >= limit / 5 || (used[side.rawValue] - ownHoles) / 4 >= shares[side.rawValue] / 5
    }

    private func hasRoom(_ side: RowSide, _ bytes: Int) -> Bool {
        !isLimited || total + bytes <= limit && used[side.rawValue] + bytes <= shares[side.rawValue]
    }

    /// Counts a list of attributes in place of the one that an entity had; false where there is no room for it.
    /// - Parameter bytes: those of the list's block, 0 for none.
    func admit(list bytes: Int, of entity: UInt32, _ side: RowSide) -> Bool {
        let table = tables[side.rawValue], more = bytes - table.listBytes(of: entity)
        guard more <= 0 || hasRoom(side, more) else { return false }
        table.setList(entity, bytes: bytes)
        if isLimited { recount(side) }
        return true
    }

    // MARK: Eviction

    /// The position in the units of an id's stamp, which wrap after 4,096.
    func stamp(_ position: UInt64) -> UInt32 { UInt32(truncatingIfNeeded: position >> stampShift) & EntityTable.stampMask }

    /// A time-to-live is 512 to 1,023 units, so that the idle hand comes round several times before a stamp wraps; without one,
    /// stamps reach back 268 million positions.
    private var stampShift: UInt64 {
        settings.idleEvents == 0 ? 16 : UInt64(max(0, Int.bitWidth - 1 - (settings.idleEvents / 512).leadingZeroBitCount))
    }

    /// The side that must evict now, if any.
    func pressed() -> RowSide? {
        guard isLimited else { return nil }
        for number in 0..<tables.count where isPressed(number) { return RowSide(rawValue: number) }
        return nil
    }

    private func isPressed(_ number: Int) -> Bool {
        guard let side = RowSide(rawValue: number), side.isEvictable, !hasRoom(side, limit / 32) else { return false }
        let table = tables[number]
        // Longer texts than those that went may have used up what the rows left.
        return table.holeCount < max(1, table.count >> 4) || total > limit && table.liveCount > table.holeCount
    }

    /// The id of a side that is to go, and moves the hand; nil where the hand met none.
    func victim(_ side: RowSide, position: UInt64) -> UInt32? {
        let table = tables[side.rawValue], now = stamp(position)
        var best: (ordinal: UInt32, frequency: Float, age: UInt32)?
        var met = 0, hand = hands[side.rawValue]
        for _ in 0..<RowKeeper.passed where met < RowKeeper.sampled && table.liveCount > 0 {
            hand = RowKeeper.next(hand, of: table.count)
            if table.isOut(hand) { continue }
            met += 1
            let frequency = table.storedFrequency(hand), age = (now &- table.stamp(hand)) & EntityTable.stampMask
            if let best, (best.frequency, age) < (frequency, best.age) || (best.frequency, best.age) == (frequency, age) { continue }
            best = (hand, frequency, age)
        }
        hands[side.rawValue] = hand
        return best?.ordinal
    }

    /// An idle id of a side, if the hand meets one on its way beside one record.
    func idle(_ side: RowSide, position: UInt64) -> UInt32? {
        let table = tables[side.rawValue], now = stamp(position), longest = UInt64(settings.idleEvents)
        // One side's turn comes every third record.
        idleCredits[side.rawValue] = min(idleCredits[side.rawValue] + 3 * UInt64(table.count), longest * UInt64(RowKeeper.passed))
        while idleCredits[side.rawValue] >= longest {
            idleCredits[side.rawValue] -= longest
            let hand = RowKeeper.next(idleHands[side.rawValue], of: table.count)
            idleHands[side.rawValue] = hand
            let age = UInt64((now &- table.stamp(hand)) & EntityTable.stampMask)
            if !table.isOut(hand), age << stampShift >= longest { return hand }
        }
        return nil
    }

    /// The next ordinal in the order in which rows lie.
    private static func next(_ ordinal: UInt32, of count: Int) -> UInt32 {
        let next = ordinal + UInt32(Placement.shardCount)
        if Int(next) < count { return next }
        let shard = ordinal % UInt32(Placement.shardCount) + 1
        return shard < min(count, Placement.shardCount) ? shard : 0
    }
}
