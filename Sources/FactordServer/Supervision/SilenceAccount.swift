import LinuxSystem

/// How long each thread has given no sign of life, by looks at regular intervals.
///
/// Silence is counted in looks and not on the clock: where the whole process, or the machine, stood still, nobody could look,
/// and nobody is to blame.
struct SilenceAccount {
    /// A thread that is stuck, or the stream between them.
    struct Stall: Equatable, Sendable {
        var name: String
        var nanoseconds: Int64
    }

    private struct Entry {
        let pulse: Pulse
        var last: Pulse.Sight
        var silence: Int64 = 0
    }
    /// Nanoseconds without a sign of life that are too many.
    let limit: Int64
    private var entries: [Entry] = []
    private var applied: UInt64 = 0
    private var standstill: Int64 = 0

    init(limit: Int64) { self.limit = limit }

    /// Looks at all threads.
    /// - Parameters:
    ///   - elapsed: nanoseconds since the last look.
    ///   - learning: up to where positions were given out and up to where they are learned, where that has to go on; nil where trainers are held up on
    ///     purpose.
    /// - Returns: what has been silent for too long.
    mutating func look(_ threads: [Pulse.Beating], elapsed: Int64, learning: (sequenced: UInt64, applied: UInt64)? = nil) -> [Stall] {
        var stalls: [Stall] = []
        var next: [Entry] = []
        for thread in threads {
            let sight = thread.pulse.sight
            // A pulse seen for the first time has had no chance to beat yet.
            var entry = entries.first { $0.pulse === thread.pulse } ?? Entry(pulse: thread.pulse, last: .outside)
            entry.silence = sight == .outside || sight != entry.last ? 0 : entry.silence + elapsed
            entry.last = sight
            if entry.silence >= limit { stalls.append(Stall(name: thread.name, nanoseconds: entry.silence)) }
            next.append(entry)
        }
        entries = next
        // Threads that all make their rounds, and do nothing in them.
        if let learning {
            standstill = learning.sequenced <= learning.applied || learning.applied != applied ? 0 : standstill + elapsed
            applied = learning.applied
            if standstill >= limit { stalls.append(Stall(name: "learning at position \(applied)", nanoseconds: standstill)) }
        } else {
            standstill = 0
        }
        return stalls
    }
}
