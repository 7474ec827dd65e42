import LinuxSystem
import Synchronization
import WireFormats
import ZeroMQ

/// What an acknowledged stream says of a message.
enum AcknowledgementStatus: String, CaseIterable {
    /// It is learned, and durable.
    case ok
    /// The same, since an earlier sending.
    case duplicate
    /// Another one is to be sent first; the answer names its number.
    case expected
    /// It cannot be taken, now or later.
    case rejected
    /// Too many wait for the disk; send it again.
    case busy
    /// The disk takes nothing; send it again later.
    case degraded
}

/// Answers given, by status. Written by a receiver, read by anyone.
final class StatusCounters: Sendable {
    private let counts = Lock<[UInt64]>([UInt64](repeating: 0, count: AcknowledgementStatus.allCases.count))

    func add(_ status: AcknowledgementStatus) {
        counts.withLock { $0[AcknowledgementStatus.allCases.firstIndex(of: status)!] += 1 }
    }

    /// Those that were given.
    var all: [(status: AcknowledgementStatus, count: UInt64)] {
        counts.withLock { counts in zip(AcknowledgementStatus.allCases, counts).map { ($0, $1) }.filter { $0.1 > 0 } }
    }
}

/// An answer to a message of an acknowledged stream.
struct Acknowledgement {
    let envelope: Envelope
    /// Nil where the message has none.
    let number: MessageNumber?
    var status: AcknowledgementStatus
    /// The position up to which the message's events are learned.
    var position: UInt64?
    /// With `expected`: the number to go on with.
    var expected: UInt64?
    /// Records set aside, by reason.
    var reasons: [String: Int] = [:]
}

/// The answers that a receiver owes to publishers: given in order, each once its message is durable. Belongs to the receiver, which
/// owns the sockets; the journal wakes it.
final class Acknowledgements {
    private struct Pending {
        var answer: Acknowledgement
        var ticket: DurabilityTicket
        var stream: StreamSocket
    }

    /// Answers that may wait for the disk; beyond it publishers are told `busy`.
    static let limit = 1 << 14
    /// What a clean stop waits for the disk.
    private static let lastNanoseconds: Int64 = 5_000_000_000

    private let journal: JournalKeeper?
    private let wakeUp: EventDescriptor
    /// First in, first out; those before `head` are answered.
    private var pending: [Pending] = []
    private var head = 0
    private var writer = JSONWriter(capacity: 512)
    private var hasAnswered = false

    init(journal: JournalKeeper?, wakeUp: EventDescriptor) {
        self.journal = journal
        self.wakeUp = wakeUp
        journal?.wake(wakeUp)
    }

    /// Answers that wait.
    var count: Int { pending.count - head }

    /// Answers once the ticket is durable.
    func answer(_ answer: Acknowledgement, when ticket: DurabilityTicket, on stream: StreamSocket) {
        pending.append(Pending(answer: answer, ticket: ticket, stream: stream))
    }

    /// Answers now.
    func answer(_ answer: Acknowledgement, on stream: StreamSocket) throws(ZeroMQError) {
        writer.reset()
        answer.write(to: &writer)
        stream.counters.answered.add(answer.status)
        let result = try stream.socket.reply(to: answer.envelope, writer.bytes)
        if result != .sent { stream.counters.answersDropped.add(1, ordering: .relaxed) }
        hasAnswered = true
    }

    /// Gives the answers that are due: of all messages that are durable, or cannot become so.
    func answerDurable() throws(ZeroMQError) {
        while head < pending.count {
            let next = pending[head]
            guard let state = journal?.state(of: next.ticket), state != .pending else { break }
            var answer = next.answer
            if state == .lost {
                answer.status = .degraded
                answer.position = nil
            }
            try self.answer(answer, on: next.stream)
            head += 1
        }
        if head == pending.count {
            pending.removeAll(keepingCapacity: true)
            head = 0
        } else if head > 4096 {
            pending.removeFirst(head)
            head = 0
        }
    }

    /// Gives the last answers at a stop: waits for the disk, within bounds, and gives the I/O thread its chance.
    func finish() throws(ZeroMQError) {
        let deadline = MonotonicClock.nanoseconds + Acknowledgements.lastNanoseconds
        try answerDurable()
        while count > 0, MonotonicClock.nanoseconds < deadline {
            wakeUp.wait(timeoutMilliseconds: 20)
            try answerDurable()
        }
        if hasAnswered { MonotonicClock.sleep(microseconds: 100_000) }
    }
}

extension Acknowledgement {
    fileprivate func write(to writer: inout JSONWriter) {
        writer.beginObject()
        if let number {
            writer.member("source", number.source)
            writer.member("epoch", number.epoch)
            writer.member("seq", number.sequence)
        }
        writer.member("status", status.rawValue)
        if let expected {
            writer.member("expected", expected)
        }
        if let position {
            writer.member("position", position)
        }
        if !reasons.isEmpty {
            writer.key("reasons")
            writer.beginObject()
            for (reason, count) in reasons.sorted(by: { $0.key < $1.key }) {
                writer.key(reason)
                writer.value(count)
            }
            writer.endObject()
        }
        writer.endObject()
    }
}
