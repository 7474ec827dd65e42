import LinuxSystem

/// What of the daemon is stuck, as the watchdog has found it. Any thread.
final class Vitals: Sendable {
    private let stalls = Lock<[SilenceAccount.Stall]>([])

    /// In words; nil where all is well.
    var fault: String? {
        let stalls = stalls.withLock { $0 }
        return stalls.isEmpty ? nil : stalls.map { "\($0.name) for \($0.nanoseconds / 1_000_000_000) s" }.joined(separator: ", ")
    }

    /// Puts down what was found; answers what had been found before.
    func replace(by found: [SilenceAccount.Stall]) -> [SilenceAccount.Stall] {
        stalls.withLock { stalls in
            defer { stalls = found }
            return stalls
        }
    }
}
