import CKernels

/// What the ids of one side were when a capture began, for those that have changed since and are not copied yet: entries of
/// (ordinal, old row), in order. A copy made later, with the entries undone from the last to the first, is the side as it was.
///
/// So ids are copied piece by piece while the sequencer goes on, and still all stand at one position. The log is bounded; while
/// it is full the sequencer takes no more records, as if a queue were full.
///
/// Thread safety: the sequencer's, and in a pause the capture's. Entries once written do not change until `close`.
struct IdUndo {
    struct Entry {
        var payload: UInt64
        var frequency: UInt32
        var meta: UInt32
        var ordinal: UInt32
        var side: UInt32
    }

    /// Ordinals whose changes are noted: from the first that is not copied to the last there was. None while closed.
    struct Reach {
        var start: UInt32 = 0
        var end: UInt32 = 0
        @inline(__always)
        func contains(_ ordinal: UInt32) -> Bool { ordinal < end && ordinal >= start }
    }

    /// Entries at most: 24 MiB, of which a capture touches what it needs.
    static let capacity = (24 << 20) / MemoryLayout<Entry>.stride
    /// What one record may need: its features, an eviction, an admission.
    static let margin = 4096

    /// Whether the sequencer has to wait until more is copied.
    private(set) var isTight = false
    /// Counts were rescaled meanwhile: nothing can be undone, and the capture has to begin anew.
    var isSpoilt = false
    /// Whether texts of ids that go must stay readable.
    private(set) var isOpen = false
    private(set) var count = 0
    private var entries: UnsafeMutablePointer<Entry>?

    /// Begins; answers where the entries will be.
    mutating func open() -> UnsafePointer<Entry> {
        precondition(!isOpen, "one capture at a time")
        guard let memory = fk_map(IdUndo.capacity * MemoryLayout<Entry>.stride) else { preconditionFailure("no memory for a capture") }
        entries = memory.bindMemory(to: Entry.self, capacity: IdUndo.capacity)
        isOpen = true
        isSpoilt = false
        count = 0
        return UnsafePointer(entries.unsafelyUnwrapped)
    }

    /// Everything is copied: nothing has to wait.
    mutating func relax() { isTight = false }

    mutating func close() {
        if let entries { fk_unmap(entries, IdUndo.capacity * MemoryLayout<Entry>.stride) }
        entries = nil
        isOpen = false
        isTight = false
        count = 0
    }

    mutating func note(_ entry: Entry) {
        guard count < IdUndo.capacity, let entries else {
            // A single record that changes more ids than any can.
            isSpoilt = true
            return
        }
        (entries + count).initialize(to: entry)
        count += 1
        if count > IdUndo.capacity - IdUndo.margin { isTight = true }
    }
}
