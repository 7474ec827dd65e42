import CKernels

/// What ids, and the sketch of sightings, were when a capture began, for those that have changed since and are not copied yet. A copy
/// made later, with these changes undone, is the side as it was: so ids are copied piece by piece while the sequencer goes on,
/// and still all stand at one position.
///
/// A row is noted once, before its first change: a bit says that it is (`Area.bits`). Entries of a piece are a chain, the newest
/// first, so that undoing a piece touches its own alone; they are used again for others afterwards. The log is bounded; while it is
/// full the sequencer takes no more records, as if a queue were full.
///
/// Thread safety: the sequencer's, and in a pause the capture's. Entries of a piece that is copied do not change until `recycle`.
struct IdUndo {
    /// 16 bytes.
    struct Entry {
        /// Count and meta of a row, or its payload; a word of the sketch.
        var old: UInt64
        /// The ordinal, or the word's number.
        var number: UInt32
        /// The index of the piece's entry before this one; 0 for none. The top bit says that `old` is a payload.
        var next: UInt32
        static let payloadFlag: UInt32 = 1 << 31
        var isPayload: Bool { next & Entry.payloadFlag != 0 }
        var following: UInt32 { next & ~Entry.payloadFlag }
    }

    /// Ordinals whose changes are noted: from the first that is not copied to the last there was. None while closed.
    struct Reach {
        var start: UInt32 = 0
        var end: UInt32 = 0
        @inline(__always)
        func contains(_ ordinal: UInt32) -> Bool { ordinal < end && ordinal >= start }
    }

    /// One side's rows, or the words of the sketch.
    private struct Area {
        let bits: UnsafeMutablePointer<UInt64>
        let bitBytes: Int
        /// The newest entry of each piece.
        let heads: UnsafeMutablePointer<UInt32>

        init(_ count: Int) {
            bitBytes = max(count + 63, 64) / 64 * 8
            guard let memory = fk_map(bitBytes) else { preconditionFailure("no memory for a capture") }
            bits = memory.bindMemory(to: UInt64.self, capacity: bitBytes / 8)
            let pieces = count >> IdUndo.pieceBits + 1
            heads = .allocate(capacity: pieces)
            heads.initialize(repeating: 0, count: pieces)
        }

        func close() {
            fk_unmap(bits, bitBytes)
            heads.deallocate()
        }
    }

    /// Entries at most: 16 MiB, of which a capture touches what it needs.
    static let capacity = (16 << 20) / MemoryLayout<Entry>.stride
    /// What one record may need: its features, an eviction, an admission.
    static let margin = 4096
    /// Rows, or words, of a piece: 4 MiB of either.
    static let pieceBits: UInt32 = 18
    static let wordBits: UInt32 = 19

    /// Whether the sequencer has to wait until more is copied.
    private(set) var isTight = false
    /// Whether a quarter of the log is in use.
    var isFilling: Bool { count > IdUndo.capacity / 4 }
    /// Counts were rescaled meanwhile: nothing can be undone, and the capture has to begin anew.
    var isSpoilt = false
    /// Whether texts of ids that go must stay readable.
    private(set) var isOpen = false
    /// Entries in use.
    private(set) var count = 0
    private var entries: UnsafeMutablePointer<Entry>?
    /// The first entry that was never used; those given back are a chain of their own.
    private var fresh: UInt32 = 1
    private var spare: UInt32 = 0
    private var areas: [Area] = []

    /// Begins.
    /// - Parameter counts: rows of each side, and words of the sketch behind them.
    mutating func open(_ counts: [Int]) {
        precondition(!isOpen, "one capture at a time")
        guard let memory = fk_map(IdUndo.capacity * MemoryLayout<Entry>.stride) else { preconditionFailure("no memory for a capture") }
        entries = memory.bindMemory(to: Entry.self, capacity: IdUndo.capacity)
        areas = counts.map { Area($0) }
        (isOpen, isSpoilt, count, fresh, spare) = (true, false, 0, 1, 0)
    }

    /// Everything is copied: nothing has to wait.
    mutating func relax() { isTight = false }

    mutating func close() {
        if let entries { fk_unmap(entries, IdUndo.capacity * MemoryLayout<Entry>.stride) }
        for area in areas { area.close() }
        entries = nil
        areas = []
        (isOpen, isTight, count) = (false, false, 0)
    }

    /// Notes a row's count and meta, or a word, before its first change.
    mutating func note(_ area: Int, _ number: UInt32, _ old: UInt64, pieceBits: UInt32 = IdUndo.pieceBits) {
        let place = areas[area].bits + Int(number >> 6), bit: UInt64 = 1 << UInt64(number & 63)
        guard place.pointee & bit == 0 else { return }
        place.pointee |= bit
        add(areas[area].heads + Int(number >> pieceBits), number, old, flag: 0)
    }

    /// Notes a row's payload before another id takes its place.
    mutating func note(payload: UInt64, of number: UInt32, _ area: Int) {
        add(areas[area].heads + Int(number >> IdUndo.pieceBits), number, payload, flag: Entry.payloadFlag)
    }

    private mutating func add(_ head: UnsafeMutablePointer<UInt32>, _ number: UInt32, _ old: UInt64, flag: UInt32) {
        guard let entries, spare != 0 || Int(fresh) < IdUndo.capacity else {
            // A single record that changes more ids than any can.
            isSpoilt = true
            return
        }
        let index = spare != 0 ? spare : fresh
        if spare != 0 { spare = entries[Int(index)].following } else { fresh += 1 }
        (entries + Int(index)).initialize(to: Entry(old: old, number: number, next: head.pointee | flag))
        head.pointee = index
        count += 1
        if count > IdUndo.capacity - IdUndo.margin { isTight = true }
    }

    /// The changes of a piece that is copied now: none are added later.
    func chain(_ area: Int, piece: Int) -> Chain {
        Chain(entries: entries.map { UnsafePointer($0) }, head: areas[area].heads[piece])
    }

    /// A piece's changes, newest first.
    struct Chain {
        fileprivate let entries: UnsafePointer<Entry>?
        fileprivate let head: UInt32

        static var none: Chain { Chain(entries: nil, head: 0) }

        /// Answers where the chain ends, for `recycle`.
        func forEach(_ body: (Entry) -> Void) -> Spent {
            var spent = Spent(first: head)
            guard let entries else { return spent }
            var index = head
            while index != 0 {
                let entry = entries[Int(index)]
                body(entry)
                spent.last = index
                spent.count += 1
                index = entry.following
            }
            return spent
        }
    }

    /// A chain that is undone.
    struct Spent {
        var first: UInt32 = 0
        var last: UInt32 = 0
        var count = 0
    }

    /// Takes the entries of a piece back, which are undone.
    mutating func recycle(_ spent: Spent) {
        guard let entries, spent.count > 0 else { return }
        entries[Int(spent.last)].next = spare
        spare = spent.first
        count -= spent.count
        if count < IdUndo.capacity - 2 * IdUndo.margin { isTight = false }
    }
}
