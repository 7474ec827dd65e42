import CKernels
import Synchronization

/// When each row of a table was last touched, as `HalfLife` writes positions: 8 bytes a row, there only where an option
/// needs it.
///
/// Thread safety: stamps are atomic words, so that of several trainers only one takes what a row has slept.
final class RowStamps: Sendable {
    let store = SlabStore(rowBytes: MemoryLayout<UInt64>.stride)
    private let view: SlabStore.View
    /// No row from here on was ever touched; grown by trainers.
    private let touched = Atomic<UInt32>(0)

    init() { view = store.view }

    @inline(__always)
    private func word(_ ordinal: UInt32) -> UnsafeMutablePointer<Atomic<UInt64>> {
        view.address(ordinal).assumingMemoryBound(to: Atomic<UInt64>.self)
    }

    /// The end of the rows that were ever touched.
    var reach: UInt32 { touched.load(ordering: .relaxed) }

    /// A row's stamp; 0 where nobody touched it.
    @inline(__always)
    subscript(ordinal: UInt32) -> UInt64 { word(ordinal).pointee.load(ordering: .relaxed) }

    /// Stamps a row; answers the stamp that it had, or `now` where it is as new.
    @inline(__always)
    func touch(_ ordinal: UInt32, now: UInt64) -> UInt64 {
        let word = word(ordinal)
        if word.pointee.load(ordering: .relaxed) >= now { return now }
        let before = word.pointee.max(now, ordering: .relaxed).oldValue
        if before == 0 && ordinal >= touched.load(ordering: .relaxed) { touched.max(ordinal + 1, ordering: .relaxed) }
        return min(before, now)
    }

    /// A row is as if nobody had touched it.
    func reset(_ ordinal: UInt32) { word(ordinal).pointee.store(0, ordering: .relaxed) }

    /// Finds `reach` anew after the stamps of `count` rows were restored.
    func restore(count: Int) {
        var end = UInt32(count)
        while end > 0 && self[end - 1] == 0 { end -= 1 }
        touched.store(end, ordering: .relaxed)
    }
}
