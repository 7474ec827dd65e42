import CKernels

/// A piece of a model's global parameters that is stepped as one row.
struct ParameterBlock: Equatable {
    /// Floats with padding, a multiple of 8; the padding is zero for ever.
    var count: Int
    /// Floats in use.
    var used: Int
    /// Distance of the places that start at 1, from the block's start: the identity. 0: all start at 0.
    var diagonal = 0
}

/// Global parameters of a kind beside w0 (the matrix of `bilinear`), each block with a row's state.
///
/// Thread safety: raced on purpose like rows, and touched only by the row kernels while threads run; with one trainer exact.
final class Parameters: @unchecked Sendable {
    let blocks: [ParameterBlock]
    /// Floats of all blocks.
    let count: Int
    private let values: UnsafeMutablePointer<Float>
    private let sums: UnsafeMutablePointer<Float>
    private let states: UnsafeMutablePointer<fk_row_state>
    private let offsets: [Int]
    /// Whether steps are left out, since what they would do is there already (`ReplayWindow`, under its lock).
    let isHeld: UnsafeMutablePointer<Bool>

    init(_ blocks: [ParameterBlock]) {
        self.blocks = blocks
        var offsets: [Int] = []
        var count = 0
        for block in blocks {
            offsets.append(count)
            count += block.count
        }
        self.offsets = offsets
        self.count = count
        values = Parameters.floats(count)
        sums = Parameters.floats(count)
        isHeld = .allocate(capacity: 1)
        isHeld.initialize(to: false)
        states = .allocate(capacity: blocks.count)
        states.initialize(repeating: fk_row_state(), count: blocks.count)
        reset()
    }

    deinit {
        isHeld.deallocate()
        values.deallocate()
        sums.deallocate()
        states.deallocate()
    }

    /// Zeroed floats on a boundary of 64 bytes.
    static func floats(_ count: Int) -> UnsafeMutablePointer<Float> {
        let memory = UnsafeMutableRawPointer.allocate(byteCount: max(count, 16) * 4, alignment: 64)
        let floats = memory.bindMemory(to: Float.self, capacity: max(count, 16))
        floats.initialize(repeating: 0, count: max(count, 16))
        return floats
    }

    @inline(__always)
    func offset(_ block: Int) -> Int { offsets[block] }
    @inline(__always)
    func floats(_ block: Int) -> UnsafeMutablePointer<Float> { values + offsets[block] }
    @inline(__always)
    func accumulators(_ block: Int) -> UnsafeMutablePointer<Float> { sums + offsets[block] }
    @inline(__always)
    func state(_ block: Int) -> UnsafeMutablePointer<fk_row_state> { states + block }

    /// Puts everything back to its first values, through the kernels' own functions since trainers may be at work.
    func reset() {
        fk_first_factors(values, 0, count, 0, 0)
        fk_first_factors(sums, 0, count, 0, 0)
        var one: Float = 1
        for (index, block) in blocks.enumerated() {
            fk_write_state(state(index), fk_row_state())
            guard block.diagonal > 0 else { continue }
            for place in stride(from: 0, to: block.count, by: block.diagonal) { Kernels.best.add(floats(index) + place, &one, 1, 1) }
        }
    }

    /// Values, accumulators and states as a snapshot holds them: floats little-endian, then each state's four words.
    func write(_ writer: inout ByteWriter, _ kernels: Kernels) {
        writer.put(UInt32(count))
        withUnsafeTemporaryAllocation(of: Float.self, capacity: count) { copy in
            for source in [values, sums] {
                kernels.copy(copy.baseAddress, source, count)
                for value in copy { writer.put(value) }
            }
        }
        for index in blocks.indices {
            let state = fk_read_state(self.state(index))
            for value in [state.weight, state.weight_accumulator, state.factor_accumulator] { writer.put(value) }
            writer.put(state.updates)
        }
    }

    /// Before any thread starts.
    func read(_ reader: inout ByteReader) throws(StateError) {
        guard try reader.get(UInt32.self) == UInt32(count) else { throw .damaged(section: reader.section) }
        for target in [values, sums] { for index in 0..<count { target[index] = try reader.getFloat() } }
        for index in blocks.indices {
            states[index] = fk_row_state(
                weight: try reader.getFloat(), weight_accumulator: try reader.getFloat(),
                factor_accumulator: try reader.getFloat(), updates: try reader.get())
        }
    }
}
