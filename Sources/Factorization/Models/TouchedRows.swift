/// Rows of items that a learner has written since it last said so to their copy (`RowCopy`): told many at a time, for each
/// telling costs a fence. A trainer's thread.
final class TouchedRows {
    private let copy: RowCopy
    private let ordinals: UnsafeMutablePointer<UInt32>
    @exclusivity(unchecked) private var count = 0
    private static let capacity = 1024

    init(_ copy: RowCopy) {
        self.copy = copy
        ordinals = .allocate(capacity: TouchedRows.capacity)
    }

    deinit { ordinals.deallocate() }

    @inline(__always)
    func append(_ rows: UnsafePointer<UInt32>, count added: Int) {
        for index in 0..<added {
            if count == TouchedRows.capacity { tell() }
            ordinals[count] = rows[index]
            count &+= 1
        }
    }

    /// Tells the copy. Before the position is published.
    @inline(__always)
    func tell() {
        guard count > 0 else { return }
        copy.touch(ordinals, count: count)
        count = 0
    }
}
