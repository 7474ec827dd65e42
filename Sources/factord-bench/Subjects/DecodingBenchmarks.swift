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

/// Takes all messages through a decoder as a receiver does: messages of one frame in bursts; a batch is handed on when it is
/// full.
private func decodeAll(_ messages: Messages, _ decoder: EventDecoder, handOn: () -> Void, into batch: () -> EventBatch) {
    withUnsafeTemporaryAllocation(of: UnsafeRawBufferPointer.self, capacity: 64) { parts in
        var count = 0, isWhole = true
        func takeBurst() {
            let bodies = UnsafeBufferPointer(rebasing: parts[..<count])
            var index = 0
            while true {
                index = decoder.takePlain(bodies, from: index, stream: 0, into: batch())
                if index == count { break }
                decoder.begin(body: bodies[index], stream: 0)
                while !decoder.fill(batch()) { handOn() }
                index += 1
            }
            count = 0
        }
        for frame in messages.frames {
            parts[count] = UnsafeRawBufferPointer(start: frame.data, count: frame.size)
            count += 1
            if frame.more != 0 {
                isWhole = false
            } else if isWhole {
                if count == parts.count { takeBurst() }
            } else {
                decoder.begin(frames: UnsafeBufferPointer(rebasing: parts[..<count]), topic: .none, stream: 0)
                while !decoder.fill(batch()) { handOn() }
                count = 0
                isWhole = true
            }
        }
        takeBurst()
    }
    handOn()
}
