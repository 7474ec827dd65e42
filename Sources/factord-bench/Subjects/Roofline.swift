import CYardstick
import Factorization
import LinuxSystem

/// The roof that memory puts on training (Williams, Waterman and Patterson 2009): bytes that an event touches, against the
/// bandwidth measured beside it.
///
/// An event reads and writes a user's row, an item's and those of its negatives, each of them factors and 16 bytes of state,
/// and reads itself. The bandwidth is that of a sweep that multiplies a block in place, as large as all rows of the workload,
/// by as many threads: a roof of the cache where rows fit the cache, and of memory where they do not. An update does far more
/// than one multiplication a number, so in cache the roof is not near; out of cache rows that come often (Zipf) stay
/// in cache, so it can be passed.
enum Roofline {
    /// The name under which it stands beside a subject.
    static let name = "roofline"

    /// Bytes that are read and written for an event.
    static func bytesPerEvent(rank: Int, negatives: Int) -> Int {
        (2 + negatives) * rowBytes(rank) * 2 + MemoryLayout<yard_event>.stride
    }

    static func rowBytes(_ rank: Int) -> Int { rank * 4 + MemoryLayout<yard_state>.stride }
}

/// The rate at which events would pass if nothing but their bytes counted.
///
/// Each thread sweeps its part in slices of about a millisecond or of one sweep, and its bandwidth is that of the slice in the
/// middle: neither the start of a thread nor a pause that the system makes, which is long beside a sweep of some hundred
/// kilobytes, is taken for the memory's doing.
func roofline(_ workload: Workload, _ model: ModelSettings, threads: Int) throws -> Side {
    let whole = (workload.userCount + workload.itemCount) * Roofline.rowBytes(model.rank)
    let part = whole / threads / 64 * 64
    let block = Handed(try Block(part * threads))
    let bytes = Double(Roofline.bytesPerEvent(rank: model.rank, negatives: model.negatives))
    let sweeps = max(1, (32 << 20) / part), slices = sweeps > 1 ? 15 : 5
    return Side(name: Roofline.name) {
        // Bytes a second, by thread.
        let found = Handed(UnsafeMutablePointer<Double>.allocate(capacity: threads))
        defer { found.value.deallocate() }
        let sweep = { @Sendable (number: Int) in
            let times = (0..<slices).map { _ in
                seconds { for _ in 0..<sweeps { block.value.update(from: part * number, bytes: part) } }
            }
            found.value[number] = Double(2 * part * sweeps) / Spread(times).median
        }
        let helpers = try (1..<threads).map { number in try SystemThread(name: "sweep \(number)") { sweep(number) } }
        sweep(0)
        for helper in helpers { helper.join() }
        return [(0..<threads).reduce(0) { $0 + found.value[$1] } / bytes]
    }
}

/// Lent to threads that touch parts of their own and are waited for.
private struct Handed<Value>: @unchecked Sendable {
    let value: Value
    init(_ value: Value) { self.value = value }
}
