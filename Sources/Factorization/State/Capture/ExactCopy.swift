import Synchronization

/// A whole state copied by several threads while everybody stands, as fast as the memory moves: an exact state.
///
/// Each thread takes parts in their order and copies them into memory of its own (a lane of the pool), so that nothing but a counter
/// is shared.
///
/// Thread safety: `copy` on one thread for each lane; everything else before and after.
public final class ExactCopy: @unchecked Sendable {
    // Sendable by hand: what stands is only read, each lane belongs to one thread, and so does each part's place in `copies`.
    private let capture: StateCapture
    private let lanes: [CapturePool.Lane]
    private let parts: [Piece]
    private let copies: UnsafeMutablePointer<[CaptureBuffer]>
    private let next = Atomic<Int>(0)

    /// Begins; the engine stands until `finish`.
    /// - Parameter pool: prepared for as many lanes as there will be threads.
    public init(_ engine: Engine, into pool: CapturePool) {
        capture = StateCapture(engine)
        lanes = pool.lanes
        parts = capture.plan.flatMap(ExactCopy.parts)
        copies = .allocate(capacity: parts.count)
        copies.initialize(repeating: [], count: parts.count)
    }

    deinit {
        copies.deinitialize(count: parts.count)
        copies.deallocate()
    }

    /// Lists are one piece of a plan, as long as there are users.
    private static func parts(_ piece: Piece) -> [Piece] {
        func cut(_ range: Range<Int>, _ piece: (Range<Int>) -> Piece) -> [Piece] {
            let step = StateCapture.entitiesPerPiece
            return stride(from: range.lowerBound, to: range.upperBound, by: step).map { piece($0..<min($0 + step, range.upperBound)) }
        }
        return switch piece {
        case .lists(let users): cut(users) { .lists($0) }
        case .attributes(let side, let range): cut(range) { .attributes(side: side, $0) }
        default: [piece]
        }
    }

    /// Copies what no other lane has taken, until all is copied.
    public func copy(lane number: Int) {
        let lane = lanes[number]
        while true {
            let part = next.add(1, ordering: .relaxed).oldValue
            guard part < parts.count else { return }
            var rest: Piece? = parts[part]
            while let piece = rest {
                let buffer = lane.next(capture.expected(piece))
                rest = capture.fill(buffer, piece)
                copies[part].append(buffer)
            }
        }
    }

    /// The capture, all copied, and the copies in their order. The engine may go on after it.
    public func finish() -> (capture: StateCapture, copies: [CaptureBuffer]) {
        let all = (0..<parts.count).flatMap { copies[$0] }
        capture.take(all)
        return (capture, all)
    }
}
