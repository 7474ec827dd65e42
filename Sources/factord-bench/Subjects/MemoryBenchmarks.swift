import CYardstick

/// What the memory gives: the roof that every other figure stands under.
func memoryBenchmarks(_ plan: Plan) -> [Benchmark] {
    let bytes = plan.isQuick ? 256 << 20 : 1 << 30
    return [
        Benchmark("memory/read", "B/s") {
            let block = try Block(bytes)
            var sink: UInt64 = 0
            return Prepared(sides: [
                Side(name: "plain C") { [Double(bytes) / seconds { sink &+= yard_read(block.start, bytes) }] }
            ])
        },
        Benchmark("memory/update", "B/s") {
            let block = try Block(bytes)
            return Prepared(sides: [
                // Reads and writes: both count.
                Side(name: "plain C") { [Double(2 * bytes) / seconds { block.update(from: 0, bytes: bytes) }] }
            ])
        },
        Benchmark("memory/copy", "B/s") {
            let from = try Block(bytes / 2), to = try Block(bytes / 2)
            return Prepared(sides: [
                // A copy reads and writes: both count.
                Side(name: "memcpy") { [Double(bytes) / seconds { yard_copy(to.start, from.start, bytes / 2) }] }
            ])
        },
    ]
}

/// Aligned memory, touched.
final class Block {
    let start: UnsafeMutableRawPointer
    init(_ bytes: Int) throws {
        guard let memory = yard_allocate(bytes) else { throw BenchmarkError("no memory for \(bytes) bytes") }
        start = memory
    }
    deinit { yard_free(start) }

    /// Reads and writes each number once.
    func update(from offset: Int, bytes: Int) {
        yard_update((start + offset).assumingMemoryBound(to: Float.self), bytes / 4, 1)
    }
}
