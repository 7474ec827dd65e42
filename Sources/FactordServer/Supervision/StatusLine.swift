import Factorization
import LinuxSystem

/// What the daemon is at, in one line for `systemctl status`.
extension StatsReport {
    var statusLine: String {
        let position = engine.appliedPosition, sequenced = engine.sequencer.lastPosition
        var parts = ["position \(grouped(position))", "\(grouped(UInt64(max(0, keeper.eventRate)))) events/s"]
        if sequenced > position { parts.append("\(grouped(sequenced - position)) waiting") }
        parts.append("\(grouped(UInt64(engine.users.liveCount))) users, \(grouped(UInt64(engine.items.liveCount))) items")
        if let newest = keeper.newest { parts.append("snapshot \((MonotonicClock.nanoseconds - newest.finished) / 1_000_000_000) s old") }
        if let fault { parts.insert("degraded: storage: \(fault)", at: 0) }
        return parts.joined(separator: ", ")
    }

    /// A number in groups of three digits.
    private func grouped(_ number: UInt64) -> String {
        let digits = Array(String(number))
        return String(digits.enumerated().flatMap { place, digit in
            place > 0 && (digits.count - place) % 3 == 0 ? [",", digit] : [digit]
        })
    }
}
