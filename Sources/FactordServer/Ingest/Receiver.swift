import Factorization
import LinuxSystem
import Logging
import Persistence
import Synchronization
import WireFormats
import ZeroMQ

/// A receive thread: owns the sockets of its streams, decodes what they bring into a batch, and passes the batch on when
/// the sockets are empty or the batch is full.
final class Receiver: Service {
    let name = "receiver"
    private let number: Int
    /// The one processor to run on; nil for any.
    private let processor: Int?
    private let log: Logger
    private let isStopping = Atomic<Bool>(false)
    private let wakeUp: EventDescriptor
    private let thread = Lock<SystemThread?>(nil)
    /// Made at start, given to the thread.
    private let makeLoop: @Sendable () throws -> ReceiveLoop

    init(
        number: Int, streams: [(index: Int, stream: Configuration.Stream, counters: StreamCounters)], processor: Int?,
        context: ZeroMQContext, engine: Engine, ids: IdPolicy, ingest: Ingest, journal: JournalKeeper?, sources: Int,
        deadLetters: DeadLetterFile, ranking: RankingSample, log: Logger
    ) throws(SystemError) {
        self.number = number
        self.processor = processor
        self.log = log
        let wakeUp = try EventDescriptor()
        self.wakeUp = wakeUp
        makeLoop = {
            let decoder = EventDecoder(policy: ids, hashing: engine.hashing)
            let loop = ReceiveLoop(
                decoder: decoder, ingest: ingest, journal: journal, deadLetters: deadLetters,
                probe: RankingProbe(engine: engine, sample: ranking, seed: UInt64(number)), wakeUp: wakeUp, log: log)
            for stream in streams {
                try loop.add(
                    StreamSocket(stream.stream, index: UInt16(stream.index), counters: stream.counters, sources: sources, context: context))
            }
            return loop
        }
    }

    /// Binds or connects the sockets here, so that a port in use is the start's error and not a thread's.
    func start() throws {
        let loop = Handover(try makeLoop())
        loop.value.handOver()
        let started = try SystemThread(name: "receiver \(number)", processor: processor, pulse: Pulse()) { [self] in
            do throws(ZeroMQError) {
                try loop.value.run(until: isStopping)
            } catch {
                log.critical("a receiver stopped: its streams are no longer read; restart the daemon", metadata: ["error": "\(error)"])
            }
            loop.value.close()
        }
        thread.withLock { $0 = started }
    }

    func stop() {
        isStopping.store(true, ordering: .releasing)
        wakeUp.signal()
        thread.withLock { $0 }?.join()
    }
}

/// Carries what one thread made to the thread that will own it.
struct Handover<Value>: @unchecked Sendable {
    let value: Value
    init(_ value: Value) { self.value = value }
}
