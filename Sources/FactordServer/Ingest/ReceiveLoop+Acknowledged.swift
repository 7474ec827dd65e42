import Factorization
import Synchronization
import WireFormats
import ZeroMQ

/// Acknowledged streams: messages of a ROUTER, each answered when it is durable, or with why it is not taken.
extension ReceiveLoop {
    /// Reads what waits, decodes it, and has it taken as one batch: one journal record, and one wait for the disk.
    func receiveAcknowledged(_ stream: StreamSocket) throws(ZeroMQError) {
        // A batch is of acknowledged streams or of others.
        pass()
        // By message of the batch in hand; nil for one that goes on in the next batch.
        var owed: [Acknowledgement?] = []
        let goal = stream.counters.records.load(ordering: .relaxed) + ReceiveLoop.recordsPerTurn
        for _ in 0..<ReceiveLoop.messagesPerTurn {
            guard stream.counters.records.load(ordering: .relaxed) < goal else { break }
            let result = try stream.socket.receive(into: message, wait: false)
            if result == .nothing { break }
            hasReceived = true
            stream.counters.messages.add(1, ordering: .relaxed)
            stream.counters.bytes.add(message.receivedBytes, ordering: .relaxed)
            try decode(stream, isOversize: result == .oversize, &owed)
        }
        try takeAcknowledged(stream, &owed)
    }

    /// How many frames name the way back: the routing id, and the delimiter where an empty frame stands before the body.
    private func wayBack() -> Int {
        var index = 1
        while index < message.count, !EventDecoder.isBody(message[index]) {
            if message[index].isEmpty { return index + 1 }
            index += 1
        }
        return 1
    }

    private func decode(_ stream: StreamSocket, isOversize: Bool, _ owed: inout [Acknowledgement?]) throws(ZeroMQError) {
        guard message.count > 0 else { return }
        let first = wayBack()
        let envelope = message.envelope(ofFirst: first)
        if isOversize || first == message.count {
            let reason = isOversize ? RejectionReason.tooLarge : .emptyMessage
            stream.counters.reject(reason)
            if isOversize {
                stream.counters.oversize.add(1, ordering: .relaxed)
                let detail = "\(message.receivedFrames) frames of \(message.receivedBytes) bytes in all"
                deadLetter(stream, reason, detail, message[message.count - 1])
            }
            return try acknowledgements.answer(
                Acknowledgement(envelope: envelope, number: nil, status: .rejected, reasons: [reason.rawValue: 1]), on: stream)
        }
        for index in first..<message.count { frames[index - first] = message[index] }
        let views = UnsafeBufferPointer(rebasing: frames[..<(message.count - first)])
        decoder.begin(frames: views, topic: stream.topicRule, stream: stream.index)
        guard let number = decoder.messageNumber else {
            return try refuseUnnumbered(stream, envelope, body: views[min(decoder.bodyFrame, views.count - 1)])
        }
        var answer = Acknowledgement(envelope: envelope, number: number, status: .ok)
        guard acknowledgements.count + owed.count < Acknowledgements.limit else {
            answer.status = .busy
            return try acknowledgements.answer(answer, on: stream)
        }
        let mark = batch.mark
        while true {
            let before = batch.recordCount
            let isDone = decoder.fill(batch)
            stream.counters.records.add(batch.recordCount - before, ordering: .relaxed)
            if isDone { break }
            // Where nothing of the message fitted any more, it has no entry yet.
            while owed.count < batch.messageCount { owed.append(nil) }
            try takeAcknowledged(stream, &owed)
        }
        if batch.messages.last?.recordCount == 1, batch.records[batch.recordCount - 1].kind == .beat {
            batch.restore(mark)
            return try answerBeat(stream, answer)
        }
        if decoder.rejectedCount > 0 {
            setAside(stream, body: views[min(decoder.bodyFrame, views.count - 1)])
            answer.reasons = reasons()
        }
        owed.append(answer)
    }

    /// The rejections of the message in hand, by reason; those beyond the ones kept count under the last.
    private func reasons() -> [String: Int] {
        var reasons: [String: Int] = [:]
        for rejection in decoder.rejections { reasons[rejection.reason.rawValue, default: 0] += 1 }
        let more = decoder.rejectedCount - decoder.rejections.count
        if more > 0, let last = decoder.rejections.last { reasons[last.reason.rawValue, default: 0] += more }
        return reasons
    }

    private func refuseUnnumbered(_ stream: StreamSocket, _ envelope: Envelope, body: UnsafeRawBufferPointer) throws(ZeroMQError) {
        var reasons = reasons()
        if decoder.rejectedCount > 0 {
            setAside(stream, body: body)
        } else {
            reasons = [RejectionReason.badNumbering.rawValue: 1]
            stream.counters.reject(.badNumbering)
            deadLetter(stream, .badNumbering, "a message of an acknowledged stream needs source and seq", body)
        }
        try acknowledgements.answer(
            Acknowledgement(envelope: envelope, number: nil, status: .rejected, reasons: reasons), on: stream)
    }

    /// A beat asks where its source stands.
    private func answerBeat(_ stream: StreamSocket, _ answer: Acknowledgement) throws(ZeroMQError) {
        var answer = answer
        answer.status = .expected
        let next = ingest.next(of: answer.number?.source ?? "")
        answer.expected = next.flatMap { $0.epoch >= answer.number?.epoch ?? 0 ? $0.sequence : nil } ?? 1
        if let next, next.epoch > answer.number?.epoch ?? 0 { answer.status = .rejected }
        try acknowledgements.answer(answer, on: stream)
    }

    /// Has the batch in hand taken, and sees to it that its messages are answered.
    private func takeAcknowledged(_ stream: StreamSocket, _ owed: inout [Acknowledgement?]) throws(ZeroMQError) {
        guard batch.messageCount > 0 else { return }
        probe.look(batch)
        let result = ingest.takeAcknowledged(batch)
        for (index, record, reason) in result.refused {
            setAside(record, reason)
            owed[index]?.reasons[reason.rawValue, default: 0] += 1
        }
        for (answer, outcome) in zip(owed, result.outcomes) {
            guard var answer else {
                beginning = outcome
                continue
            }
            switch outcome {
            case .taken(let ticket, let position):
                answer.position = position
                // Where the journal broke between the parts of the message, its beginning is in no record.
                if case .taken(let first, _)? = beginning, first.era != ticket.era {
                    answer.status = .degraded
                    try acknowledgements.answer(answer, on: stream)
                } else {
                    acknowledgements.answer(answer, when: ticket, on: stream)
                }
            case .duplicate(let ticket, let position):
                answer.status = .duplicate
                answer.position = position
                acknowledgements.answer(answer, when: ticket, on: stream)
            case .expected(let sequence):
                answer.status = .expected
                answer.expected = sequence
                try acknowledgements.answer(answer, on: stream)
            case .oldEpoch:
                answer.status = .rejected
                answer.reasons["old_epoch"] = 1
                try acknowledgements.answer(answer, on: stream)
            case .degraded:
                answer.status = .degraded
                try acknowledgements.answer(answer, on: stream)
            }
            beginning = nil
        }
        owed.removeAll(keepingCapacity: true)
        batch.reset()
    }
}
