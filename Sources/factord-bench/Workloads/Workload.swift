import CYardstick
import Factorization
import Glibc

/// Events in memory with dense user and item numbers, numbered by first appearance as the sequencer numbers them.
///
/// Users are drawn uniformly, items by Zipf's law with exponent 1; the value is a hidden bilinear taste with noise, within
/// 1…5. A function of the sizes alone.
final class Workload {
    let name: String
    let userCount: Int
    let itemCount: Int
    let events: [yard_event]

    /// The size of MovieLens 1M: rows fit the cache.
    static func movieLens(quick: Bool) -> Workload { Workload("1M size", 6040, 3706, quick ? 500_000 : 1_000_209) }
    /// Out of the cache.
    static func large(quick: Bool) -> Workload { Workload("1M × 100k", 1_000_000, 100_000, quick ? 2_000_000 : 10_000_000) }

    init(_ name: String, _ users: Int, _ items: Int, _ count: Int) {
        self.name = name
        var userNumbers = [UInt32](repeating: .max, count: users), itemNumbers = [UInt32](repeating: .max, count: items)
        var knownUsers: UInt32 = 0, knownItems: UInt32 = 0
        let logItems = log(Double(items) + 1)
        events = [yard_event](unsafeUninitializedCapacity: count) { buffer, initialized in
            for index in 0..<count {
                let a = mix64(UInt64(index) &* 2), b = mix64(UInt64(index) &* 2 &+ 1)
                let user = Int(((a >> 32) &* UInt64(users)) >> 32)
                // The inverse of the distribution function: P(rank ≤ r) = ln(r + 1) / ln(N + 1).
                let item = min(items - 1, Int(exp(Double(b >> 11) * 0x1p-53 * logItems)) - 1)
                if userNumbers[user] == .max { userNumbers[user] = knownUsers; knownUsers += 1 }
                if itemNumbers[item] == .max { itemNumbers[item] = knownItems; knownItems += 1 }
                let taste = Float(mix64(UInt64(user)) & 255) * Float(mix64(UInt64(item) &+ 7) & 255) / 65025
                let noise = Float(a & 255) / 255 - 0.5
                buffer[index] = yard_event(
                    user: userNumbers[user], item: itemNumbers[item], label: min(5, max(1, 1 + 4 * taste + noise)))
            }
            initialized = count
        }
        // Everything measured says something of users who meet by chance; of few of them it would say nothing.
        precondition(Int(knownUsers) > min(users, count) / 2, "users are drawn from all of them")
        userCount = Int(knownUsers)
        itemCount = Int(knownItems)
    }

    /// The workloads of a run, each made when it is first wanted.
    nonisolated(unsafe) private static var made: [String: Workload] = [:]
    /// What goes through ZeroMQ: the large one in its quick size, or as many events as the command line allows.
    static func sent(_ plan: Plan) -> Workload {
        guard let events = plan.events else { return shared(large: true, quick: true) }
        if let known = made["sent"] { return known }
        let workload = Workload("1M × 100k", 1_000_000, 100_000, min(events, 2_000_000))
        made["sent"] = workload
        return workload
    }

    /// Main thread only, as all preparing is.
    static func shared(large: Bool, quick: Bool) -> Workload {
        let key = "\(large) \(quick)"
        if let known = made[key] { return known }
        let workload = large ? Workload.large(quick: quick) : Workload.movieLens(quick: quick)
        made[key] = workload
        return workload
    }
}
