import Synchronization

/// Memory for the text of ids: pieces in steps of 16 bytes, cut from large chunks. What is stored never moves.
///
/// What is given back becomes one with what is free beside it, a text takes the smallest free run that holds it, and a chunk that is
/// all free goes back to the system: so what is mapped follows what is stored, however the lengths of ids drift. A bit for each step, at
/// the beginning of its chunk, says whether it is free; free runs are lists by length, whose links stand in the runs themselves.
///
/// Thread safety: one thread, the sequencer; `bytes` is for anyone.
final class TextArena: @unchecked Sendable {
    static let chunkBytes = 1 << 18
    private static let step = 16
    private static let chunkSteps = chunkBytes / step
    private static let words = chunkSteps / 64
    /// The first step behind the bits.
    private static let firstStep = chunkSteps / 8 / step
    /// Runs of so many steps and more are one list.
    private static let long = Key.longestText / step + 1

    /// Where a free run begins; the links to others as long. A multiple of a step; its chunk is aligned to its size.
    private struct Run {
        var next: UnsafeMutablePointer<Run>?
        var previous: UnsafeMutablePointer<Run>?
    }

    private var chunks: [UnsafeMutableRawPointer] = []
    /// The first run of each length in steps.
    private var runs = [UnsafeMutablePointer<Run>?](repeating: nil, count: TextArena.long + 1)
    private let mapped = Atomic<Int>(0)

    deinit { for chunk in chunks { chunk.deallocate() } }

    var bytes: Int { mapped.load(ordering: .relaxed) }

    /// Bytes of the piece that holds a text of `count` bytes.
    static func bytes(_ count: Int) -> Int { (count + step - 1) / step * step }

    /// Copies the text and packs address and length into one word.
    func store(_ text: UnsafeRawBufferPointer) -> UInt64 {
        let place = piece(TextArena.bytes(text.count) / TextArena.step)
        place.copyMemory(from: text.baseAddress!, byteCount: text.count)
        return UInt64(UInt(bitPattern: place)) | UInt64(text.count) << 48
    }

    private func piece(_ steps: Int) -> UnsafeMutableRawPointer {
        var length = steps
        while length <= TextArena.long, runs[length] == nil { length += 1 }
        if length > TextArena.long {
            beginChunk()
            length = TextArena.long
        }
        let (chunk, first) = TextArena.place(runs[length].unsafelyUnwrapped)
        let end = chunk.endOfRun(first)
        unlink(first..<end, chunk)
        chunk.mark(first..<first + steps, isFree: false)
        if first + steps < end { link(first + steps..<end, chunk) }
        return chunk.address(first)
    }

    /// Gives a text's memory back; no reader may still hold it.
    func free(_ text: UnsafeRawBufferPointer) {
        let (chunk, first) = TextArena.place(UnsafeRawPointer(text.baseAddress!))
        var start = first, end = first + TextArena.bytes(text.count) / TextArena.step
        chunk.mark(start..<end, isFree: true)
        if chunk.isFree(start - 1) {
            start = chunk.startOfRun(endingAt: start)
            unlink(start..<first, chunk)
        }
        if end < TextArena.chunkSteps, chunk.isFree(end) {
            let next = end
            end = chunk.endOfRun(next)
            unlink(next..<end, chunk)
        }
        // One that is all free stays where no other has as much room as any text may need.
        if end - start == TextArena.chunkSteps - TextArena.firstStep, runs[TextArena.long] != nil { return release(chunk) }
        link(start..<end, chunk)
    }

    // MARK: Chunks

    private func beginChunk() {
        let memory = UnsafeMutableRawPointer.allocate(byteCount: TextArena.chunkBytes, alignment: TextArena.chunkBytes)
        let chunk = Chunk(memory: memory), steps = TextArena.firstStep..<TextArena.chunkSteps
        chunks.append(memory)
        mapped.add(TextArena.chunkBytes, ordering: .relaxed)
        memory.initializeMemory(as: UInt64.self, repeating: 0, count: TextArena.words)
        chunk.mark(steps, isFree: true)
        link(steps, chunk)
    }

    private func release(_ chunk: Chunk) {
        guard let number = chunks.firstIndex(of: chunk.memory) else { return }
        chunks.swapAt(number, chunks.count - 1)
        chunks.removeLast().deallocate()
        mapped.subtract(TextArena.chunkBytes, ordering: .relaxed)
    }

    /// The chunk of an address, and its number of steps within.
    private static func place(_ address: UnsafeRawPointer) -> (chunk: Chunk, step: Int) {
        let bits = UInt(bitPattern: address), within = bits & UInt(chunkBytes - 1)
        return (Chunk(memory: UnsafeMutableRawPointer(bitPattern: bits - within).unsafelyUnwrapped), Int(within) / step)
    }

    // MARK: Free runs

    private func link(_ steps: Range<Int>, _ chunk: Chunk) {
        let length = min(steps.count, TextArena.long), next = runs[length]
        let run = chunk.address(steps.lowerBound).bindMemory(to: Run.self, capacity: 1)
        run.initialize(to: Run(next: next, previous: nil))
        next?.pointee.previous = run
        runs[length] = run
    }

    private func unlink(_ steps: Range<Int>, _ chunk: Chunk) {
        let run = chunk.address(steps.lowerBound).assumingMemoryBound(to: Run.self).pointee
        run.next?.pointee.previous = run.previous
        if let previous = run.previous { previous.pointee.next = run.next } else { runs[min(steps.count, TextArena.long)] = run.next }
    }

    /// A chunk's bits.
    private struct Chunk {
        let memory: UnsafeMutableRawPointer
        private var bits: UnsafeMutablePointer<UInt64> { memory.assumingMemoryBound(to: UInt64.self) }

        init(memory: UnsafeMutableRawPointer) { self.memory = memory }

        func address(_ step: Int) -> UnsafeMutableRawPointer { memory + step * TextArena.step }

        /// The steps of the bits themselves are never free, so that a run ends there.
        func isFree(_ step: Int) -> Bool { bits[step >> 6] >> UInt64(step & 63) & 1 != 0 }

        func mark(_ steps: Range<Int>, isFree: Bool) {
            var step = steps.lowerBound
            while step < steps.upperBound {
                let end = min(steps.upperBound, (step | 63) + 1), mask = (UInt64.max >> UInt64(64 - (end - step))) << UInt64(step & 63)
                bits[step >> 6] = isFree ? bits[step >> 6] | mask : bits[step >> 6] & ~mask
                step = end
            }
        }

        /// Where the run ends that goes on at a step.
        func endOfRun(_ step: Int) -> Int {
            var word = step >> 6, taken = ~bits[word] & .max << UInt64(step & 63)
            while taken == 0 {
                word += 1
                guard word < TextArena.words else { return TextArena.chunkSteps }
                taken = ~bits[word]
            }
            return word << 6 + taken.trailingZeroBitCount
        }

        /// Where the run begins that ends before a step.
        func startOfRun(endingAt step: Int) -> Int {
            var word = (step - 1) >> 6, taken = ~bits[word] & .max >> UInt64(63 - (step - 1) & 63)
            while taken == 0 {
                word -= 1
                taken = ~bits[word]
            }
            return word << 6 + 64 - taken.leadingZeroBitCount
        }
    }
}
