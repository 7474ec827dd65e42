import LinuxSystem
import Synchronization
import WireFormats

/// Turns bodies into replies. Belongs to one thread.
final class RequestAnswerer {
    enum Result {
        /// The reply is in `writer`, and in `state.scores` where `state.hasScores`.
        case reply
        /// None is due: a notification.
        case silence
        /// To be asked again at the position, or when the time is over.
        case wait(position: UInt64, milliseconds: Int)
    }

    private let methods: any RequestMethods
    private let counters: RequestCounters
    private var methodCounters: MethodCounters { counters.methods }
    private let parser: JSONParser
    private(set) var writer = JSONWriter(capacity: 1 << 16)
    let state = WaitState()

    init(methods: any RequestMethods, counters: RequestCounters, maxBody: Int) {
        self.methods = methods
        self.counters = counters
        parser = JSONParser(maxBytes: maxBody)
    }

    /// Reads a body; nil where the reply, an error, is in `writer`. The next call ends what this one answers.
    func parse(_ body: UnsafeRawBufferPointer) -> JSONRPCBody? {
        do throws(JSONRPCError) {
            return try JSONRPCBody.parse(body, with: parser)
        } catch {
            refuse(error)
            return nil
        }
    }

    /// Answers what `parse` has read.
    func answer(_ parsed: JSONRPCBody, received: Int64, isFinal: Bool, frame: UnsafeRawBufferPointer?) -> Result {
        // A frame belongs to one request.
        let items: ItemsFrame? = if case .single = parsed, let frame { ItemsFrame(frame) } else { nil }
        state.start(received: received, isFinal: isFinal, items: items)
        var errors = 0, code: Int?
        let number = number(parsed)
        let isDue = JSONRPC.answer(parsed, into: &writer, onError: { error in
            errors += 1
            code = code ?? error.code
            if error.code == -32003, self.state.wanted == nil { self.counters.refuse(.deadline) }
        }) { (request, writer) throws(JSONRPCError) in
            // Each request of a batch counts as a sign of life.
            Pulse.beat()
            try methods.answer(request, waiting: state, into: &writer)
        }
        // What is asked again will be counted then.
        if let wanted = state.wanted { return .wait(position: wanted.position, milliseconds: wanted.milliseconds) }
        methodCounters.count(number, MethodCounters.Outcome(code: code), microseconds: (MonotonicClock.nanoseconds - received) / 1000)
        if errors > 0 { counters.errors.add(errors, ordering: .relaxed) }
        return isDue ? .reply : .silence
    }

    private func number(_ parsed: JSONRPCBody) -> Int {
        switch parsed {
        case .batch: methodCounters.batchNumber
        case .single(.request(let request)): methodCounters.number(request.method)
        case .single: methodCounters.unknownNumber
        }
    }

    /// The same for bytes that were kept.
    func answer(_ kept: KeptRequest, isFinal: Bool) -> Result {
        kept.body.withUnsafeBytes { body in
            guard let parsed = parse(body) else { return .reply }
            guard let frame = kept.frame else { return answer(parsed, received: kept.received, isFinal: isFinal, frame: nil) }
            return frame.withUnsafeBytes { answer(parsed, received: kept.received, isFinal: isFinal, frame: $0) }
        }
    }

    /// Writes an error that answers no request in particular.
    func refuse(_ error: JSONRPCError) {
        state.start(received: 0, isFinal: true, items: nil)
        writer.reset()
        writer.reply(to: nil, error: error)
        methodCounters.count(methodCounters.unknownNumber, MethodCounters.Outcome(code: error.code), microseconds: nil)
        counters.errors.add(1, ordering: .relaxed)
    }

    /// The same, to the id of a request that has been parsed.
    func refuse(_ error: JSONRPCError, to parsed: JSONRPCBody) {
        guard case .single(.request(let request)) = parsed else { return refuse(error) }
        state.start(received: 0, isFinal: true, items: nil)
        writer.reset()
        writer.reply(to: request.id, error: error)
        methodCounters.count(number(parsed), MethodCounters.Outcome(code: error.code), microseconds: nil)
        counters.errors.add(1, ordering: .relaxed)
    }
}
