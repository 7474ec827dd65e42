import CYardstick
import Factorization
import WireFormats

/// Messages to event batches on one thread, beside reading the same bytes.
func decodingBenchmarks(_ plan: Plan) -> [Benchmark] {
    MessageForm.allCases.map { form in
        Benchmark("decode/\(form.rawValue)", "events/s") {
            let workload = Workload.shared(large: false, quick: plan.isQuick)
            let messages = Messages(form, workload.events.prefix(400_000), valued: true)
            let decoder = EventDecoder(hashing: KeyHash(seed: 1))
            let batch = EventBatch()
            let count = Double(messages.eventCount)
            return Prepared(
                sides: [
                    Side(name: "decoder") {
                        var decoded = 0
                        let time = seconds {
                            decodeAll(messages, decoder) {
                                decoded += batch.recordCount
                                batch.reset()
                            } into: { batch }
                        }
                        guard decoded == messages.eventCount else { throw BenchmarkError("\(decoded) of \(messages.eventCount) events decoded") }
                        return [count / time]
                    },
                    Side(name: "reading the bytes") {
                        var sink: UInt64 = 0
                        return [count / seconds { for frame in messages.frames { sink &+= yard_read(frame.data, frame.size) } }]
                    },
                ], notes: ["bytes_per_event": Double(messages.byteCount) / count])
        }
    }
}

/// Takes all messages through a decoder as a receiver does: a batch is handed on when it is full.
private func decodeAll(_ messages: Messages, _ decoder: EventDecoder, handOn: () -> Void, into batch: () -> EventBatch) {
    withUnsafeTemporaryAllocation(of: UnsafeRawBufferPointer.self, capacity: 16) { parts in
        var count = 0
        for frame in messages.frames {
            parts[count] = UnsafeRawBufferPointer(start: frame.data, count: frame.size)
            count += 1
            if frame.more != 0 { continue }
            decoder.begin(frames: UnsafeBufferPointer(rebasing: parts[..<count]), topic: .none, stream: 0)
            count = 0
            while !decoder.fill(batch()) { handOn() }
        }
    }
    handOn()
}
