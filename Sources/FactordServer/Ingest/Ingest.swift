import Factorization
import LinuxSystem
import Synchronization

/// The way into the models: receivers take turns as the sequencer, a batch each, and wait where a trainer's queue is full.
///
/// Whoever has the turn gives the batch to the sequencer and then to the journal, so that the journal's records stand in the order of
/// their positions. Trainers may be ahead of the disk: learning does not wait for it, acknowledgements do.
final class Ingest: Sendable {
    /// What belongs to who has the turn. Sendable by hand: only the lock's holder touches it.
    private final class Turn: @unchecked Sendable {
        let encoder = BatchEncoder()
        /// What acknowledged streams have taken.
        var sources: SourceTable

        init(sources: SourceTable) { self.sources = sources }
    }

    let sequencer: Sequencer
    let engine: Engine
    let trainers: [TrainerThread]
    /// Held while the sequencer works: who has it knows that it stands, even in the middle of a batch.
    let standing = Lock<Void>(())
    /// Whether a snapshot waits for the turn, or for the sequencer to stand: receivers then hold back.
    let isTurnWanted = Atomic<Bool>(false)
    let isStandWanted = Atomic<Bool>(false)
    /// Signalled by a trainer that has come to stand at its gate.
    let stood: EventDescriptor
    /// Nil where there is none, and while it is replayed.
    private let journal: JournalKeeper?
    /// Whose turn it is. Held for a batch, never for an event.
    private let turn: Lock<Turn>
    /// Signalled by a trainer that has room again.
    private let room: EventDescriptor
    /// Times that a receiver had to wait for a trainer.
    let waits = Atomic<Int>(0)
    /// Records learned that no journal has, because the storage is degraded.
    let undurable = Atomic<Int>(0)

    init(engine: Engine, trainers: [TrainerThread], room: EventDescriptor, stood: EventDescriptor, journal: JournalKeeper?, sources: SourceTable) {
        self.engine = engine
        sequencer = engine.sequencer
        self.trainers = trainers
        self.room = room
        self.stood = stood
        self.journal = journal
        turn = Lock(Turn(sources: sources))
    }

    /// A record that the sequencer refused: its index in the batch and why.
    typealias Refused = (record: Int, reason: Sequencer.Refusal)

    /// Takes a batch whole. Answers what was refused of it: a bounded number.
    func take(_ batch: EventBatch) -> [Refused] {
        giveWay(to: isTurnWanted)
        return turn.withLock { turn in
            let before = begin(batch)
            let refusals = feed(batch)
            _ = log(batch, after: before, turn.encoder, withMessages: false)
            return refusals
        }
    }

    // MARK: Acknowledged streams

    /// What became of a message.
    enum Outcome: Equatable {
        /// Learned; to be acknowledged when the ticket is durable. The position is that of the batch's last event.
        case taken(DurabilityTicket, position: UInt64)
        /// Was taken before; to be acknowledged when that is durable.
        case duplicate(DurabilityTicket, position: UInt64)
        /// Another one comes first.
        case expected(UInt64)
        /// A newer epoch has begun.
        case oldEpoch(UInt64)
        /// Nothing can be made durable now.
        case degraded
    }

    /// What became of a batch of numbered messages.
    struct Acknowledged {
        /// By message.
        var outcomes: [Outcome] = []
        /// Records of messages taken that the sequencer refused: message, index in what is left of the batch, and why.
        var refused: [(message: Int, record: Int, reason: Sequencer.Refusal)] = []
    }

    /// Stands for the ticket of the batch in hand, which is known when it is in the journal.
    private static let underway = DurabilityTicket(number: .max, era: .max)

    /// Takes of a batch the messages that come next from their sources. The others' records are gone from the batch afterwards.
    func takeAcknowledged(_ batch: EventBatch) -> Acknowledged {
        giveWay(to: isTurnWanted)
        return turn.withLock { turn in
            var result = Acknowledged()
            var fates: [EventBatch.Fate] = [], taken: [Int] = []
            let isDegraded = journal?.isDegraded ?? true
            // Noted one by one, for the next message may follow this one.
            for (index, entry) in batch.messages.enumerated() {
                let verdict = isDegraded ? nil : turn.sources.verdict(entry, of: batch)
                guard case .take(let skipped) = verdict else {
                    if isDegraded { turn.sources.refuse(entry, of: batch) }
                    fates.append(.dropped)
                    result.outcomes.append(Outcome(verdict))
                    continue
                }
                fates.append(.kept(from: skipped))
                taken.append(index)
                var part = entry
                part.recordCount -= UInt32(skipped)
                turn.sources.take(part, of: batch, ticket: Ingest.underway, position: 0)
                result.outcomes.append(.degraded)
            }
            if taken.count < fates.count || fates.contains(where: { $0 != .kept(from: 0) }) { batch.keep(fates) }
            guard !taken.isEmpty else { return result }
            let before = begin(batch)
            for refusal in feed(batch) {
                let place = batch.messages.lastIndex { $0.firstRecord <= refusal.record } ?? 0
                result.refused.append((taken[place], refusal.record, refusal.reason))
            }
            let ticket = log(batch, after: before, turn.encoder, withMessages: true)
            journal?.commit(ticket)
            let position = sequencer.lastPosition
            for (place, entry) in batch.messages.enumerated() {
                turn.sources.mark(entry, of: batch, ticket: ticket, position: position)
                result.outcomes[taken[place]] = .taken(ticket, position: position)
            }
            // One that came twice in this batch becomes durable with it.
            for index in result.outcomes.indices where result.outcomes[index] == .duplicate(Ingest.underway, position: 0) {
                result.outcomes[index] = .duplicate(ticket, position: position)
            }
            return result
        }
    }

    /// The number that a source is to send next in its newest epoch, and that epoch; nil for one that is not known.
    func next(of source: String) -> (epoch: UInt64, sequence: UInt64)? {
        turn.withLock { $0.sources.next(of: source.utf8) }
    }

    /// Sources of acknowledged streams held, and those that went for want of room.
    var sources: (held: Int, expired: Int) { turn.withLock { ($0.sources.count, $0.sources.expired) } }

    // MARK: Replaying

    /// Takes a batch of the journal again. Before any receiver starts.
    func replay(_ batch: EventBatch) {
        turn.withLock { turn in
            _ = feed(batch)
            let position = sequencer.lastPosition
            for entry in batch.messages { turn.sources.take(entry, of: batch, ticket: .durable, position: position) }
        }
    }

    /// Passes over positions that are nobody's. Before any receiver starts.
    func skip(to position: UInt64) {
        turn.withLock { _ in sequencer.skip(to: position) }
    }

    // MARK: Standing still

    /// Runs `body` while nobody is sequencer and every trainer is idle: the state is exactly that after the last position, and the
    /// ledger that of the same moment.
    func whileIdle<Value: ~Copyable>(_ body: (Ledger) -> sending Value) -> sending Value {
        betweenBatches { ledger in
            while engine.appliedPosition < sequencer.lastPosition { MonotonicClock.sleep(microseconds: 50) }
            return body(ledger)
        }
    }

    /// Runs `body` while nobody is sequencer, between two batches; trainers go on.
    func betweenBatches<Value: ~Copyable>(_ body: (Ledger) -> sending Value) -> sending Value {
        isTurnWanted.store(true, ordering: .relaxed)
        return turn.withLock { turn in
            isTurnWanted.store(false, ordering: .relaxed)
            return body(Ledger(sources: turn.sources.encoded(), journal: journal?.place))
        }
    }

    /// What a snapshot of this moment says about streams and journal, beside the engine's state.
    struct Ledger: Sendable {
        var sources: [UInt8] = []
        /// Nil without a journal.
        var journal: JournalKeeper.Place?
    }


    /// The table of sources; after a replay.
    var sourceTable: SourceTable { turn.withLock { $0.sources } }

    // MARK: The turn

    /// Positions that a record takes at most: its own, and those of evictions and sweeps beside it.
    private static let positionsPerRecord = 8

    /// The position before a batch; sees to it that no position is given out that a start after a power cut could give again.
    private func begin(_ batch: EventBatch) -> UInt64 {
        let last = sequencer.nextPosition - 1
        journal?.reserve(batch.recordCount * Ingest.positionsPerRecord, after: last)
        return last
    }

    private func feed(_ batch: EventBatch) -> [Refused] {
        var index = 0
        var refusals: [Refused] = []
        while true {
            giveWay(to: isStandWanted)
            index = standing.withLock { _ in sequencer.take(batch, from: index) }
            wakeTrainers()
            if !sequencer.lastRefusals.isEmpty { refusals += sequencer.lastRefusals }
            if index == batch.recordCount { return refusals }
            waitForRoom()
        }
    }

    /// Appends what was just taken to the journal.
    private func log(_ batch: EventBatch, after position: UInt64, _ encoder: BatchEncoder, withMessages: Bool) -> DurabilityTicket {
        guard let journal else { return .durable }
        let payload = encoder.encode(batch, withMessages: withMessages)
        let ticket = journal.append(.batch, payload, first: position + 1, last: sequencer.lastPosition)
        if ticket.number == .max { undurable.add(batch.recordCount, ordering: .relaxed) }
        return ticket
    }

    /// Sleeps until a full queue has some room again (`TrainerQueue.prepareWait`).
    private func waitForRoom() {
        waits.add(1, ordering: .relaxed)
        room.drain()
        // Some room, or none for a record with very many features: neither is to be waited for long.
        guard sequencer.prepareWait() else { return MonotonicClock.sleep(microseconds: 50) }
        // Bounded, for a trainer may have looked just before: see `TrainerQueue.takeWaiter`.
        room.wait(timeoutMilliseconds: 2)
    }

    private func wakeTrainers() {
        var bits = sequencer.takeWakeUps()
        while bits != 0 {
            trainers[bits.trailingZeroBitCount].signal()
            bits &= bits - 1
        }
    }
}

extension Ingest.Outcome {
    fileprivate init(_ verdict: SourceTable.Verdict?) {
        switch verdict {
        case .duplicate(let ticket, let position): self = .duplicate(ticket, position: position)
        case .expected(let sequence): self = .expected(sequence)
        case .oldEpoch(let epoch): self = .oldEpoch(epoch)
        case .take, nil: self = .degraded
        }
    }
}
