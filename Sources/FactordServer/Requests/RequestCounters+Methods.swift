import LinuxSystem
import Synchronization
import WireFormats

/// Requests of one socket by method and outcome, with their times. Any thread.
final class MethodCounters: Sendable {
    /// How a request ended. The raw value is what metrics show.
    enum Outcome: Int, CaseIterable, Sendable {
        case ok, invalid, busy, late, failed

        /// Of an error's code; nil is none.
        init(code: Int?) {
            self = switch code {
            case nil: .ok
            case -32700, -32600, -32601, -32602, -32001: .invalid
            case -32002: .busy
            case -32003: .late
            default: .failed
            }
        }
        var name: String { "\(self)" }
    }

    /// One method's: counts by outcome, and times.
    private final class Entry: Sendable {
        let counts = Lock([UInt64](repeating: 0, count: Outcome.allCases.count))
        let times = DurationBuckets()
    }

    /// The methods of the socket, then batches and whatever has no known method.
    let names: [String]
    private let entries: [Entry]
    private static let batch = "batch", unknown = "unknown"

    init(_ place: MethodDescription.Place) {
        names = MethodDescription.all.filter { $0.place == place }.map(\.name) + [MethodCounters.batch, MethodCounters.unknown]
        entries = names.map { _ in Entry() }
    }

    /// The number of a method; that of unknown ones without.
    func number(_ method: UnsafeRawBufferPointer) -> Int {
        // Few, and those asked for most stand in front.
        for (index, name) in names.dropLast(2).enumerated() where name.utf8.count == method.count && name.utf8.elementsEqual(method) { return index }
        return names.count - 1
    }
    func number(_ method: String) -> Int { names.dropLast(2).firstIndex(of: method) ?? names.count - 1 }
    var batchNumber: Int { names.count - 2 }
    var unknownNumber: Int { names.count - 1 }

    /// - Parameter microseconds: nil where no time can be told.
    func count(_ number: Int, _ outcome: Outcome, microseconds: Int64?) {
        entries[number].counts.withLock { $0[outcome.rawValue] += 1 }
        if let microseconds { entries[number].times.record(microseconds: microseconds) }
    }

    /// By method: counts by outcome, and times.
    var all: [(method: String, counts: [UInt64], times: DurationBuckets.Counts)] {
        zip(names, entries).map { ($0, $1.counts.withLock { $0 }, $1.times.counts) }
    }
}
