import Dispatch
import Testing

@testable import Factorization

@Suite struct ExactCopyTests {
    /// More users with lists than one piece takes, copied on several threads: the sections that a copy piece by piece has.
    @Test(arguments: [1, 3]) func copiesAreThoseOfACaptureInPieces(_ lanes: Int) {
        let engine = Engine(settings: EngineSettings(models: [ModelSettings(rank: 4, negatives: 1)]))
        engine.learn((0..<20_000).map { TestEvent(user: Int64($0 % 9000), item: Int64($0 % 700)) })
        let expected = MemoryState(engine).sections
        let pool = CapturePool()
        // The second time the memory is used again.
        for _ in 0..<2 {
            pool.prepare(StateCapture.expectedBytes(engine), lanes: lanes)
            let copy = ExactCopy(engine, into: pool)
            DispatchQueue.concurrentPerform(iterations: lanes) { copy.copy(lane: $0) }
            let (capture, copies) = copy.finish()
            var found: [String: [UInt8]] = [:]
            for buffer in copies { capture.emit(buffer) { name, bytes in found[name] = Array(bytes) } }
            capture.emitEnd { name, bytes in found[name] = Array(bytes) }
            capture.close()
            #expect(found.keys.sorted() == expected.keys.sorted() && expected.keys.contains { $0.hasPrefix("history/") && $0 != "history/0" })
            for (name, bytes) in expected { #expect(found[name] == bytes, "\(name)") }
        }
    }
}
