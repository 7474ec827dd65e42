/// Progress through bytes that a callee reads and reports: a bar that goes when they are read.
public final class ByteProgress {
    private var bar: ProgressBar

    /// - Parameter label: what is going on: `verified`.
    public init(label: String) {
        bar = ProgressBar(label: label, unit: .bytes)
    }

    /// Says how many of all bytes are read; cheap enough for every record.
    public func callAsFunction(_ read: UInt64, of total: UInt64) {
        bar.update(done: Int(clamping: read), fraction: total > 0 ? Double(read) / Double(total) : nil)
    }

    /// Clears the bar, for what is printed next.
    public func finish() {
        bar.giveWay()
    }
}
