import Factorization
import LinuxSystem
import Logging
import Persistence
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
    private let thread: ServiceThread
    /// Made at start, given to the thread.
    private let makeLoop: @Sendable () throws -> ReceiveLoop

    init(
        number: Int, streams: [(index: Int, stream: Configuration.Stream, counters: StreamCounters)], processor: Int?,
        context: ZeroMQContext, security: EndpointSecurity?, engine: Engine, ids: IdPolicy, ingest: Ingest, journal: JournalKeeper?, sources: Int,
        deadLetters: DeadLetterFile, ranking: RankingSample, log: Logger
    ) throws(SystemError) {
        self.number = number
        self.processor = processor
        self.log = log
        let thread = try ServiceThread()
        self.thread = thread
        makeLoop = {
            let decoder = EventDecoder(policy: ids, hashing: engine.hashing)
            let loop = ReceiveLoop(
                decoder: decoder, ingest: ingest, journal: journal, deadLetters: deadLetters,
                probe: RankingProbe(engine: engine, sample: ranking, seed: UInt64(number)), wakeUp: thread.wakeUp, log: log)
            for stream in streams {
                try loop.add(
                    StreamSocket(stream.stream, index: UInt16(stream.index), counters: stream.counters, sources: sources, context: context,
                        security: security))
            }
            return loop
        }
    }

    /// Threads for the streams of a configuration: none more than streams.
    static func count(_ configuration: Configuration) -> Int { min(configuration.threads.receivers, max(configuration.streams.count, 1)) }

    /// All of them, the streams divided among them.
    /// - Parameter processors: one for each.
    static func all(
        _ configuration: Configuration, _ counters: [StreamCounters], processors: ArraySlice<Int?>, context: ZeroMQContext,
        security: EndpointSecurity?, engine: Engine, ingest: Ingest, journal: JournalKeeper?, deadLetters: DeadLetterFile, ranking: RankingSample,
        log: Logger
    ) throws(SystemError) -> [Receiver] {
        let count = count(configuration)
        return try processors.prefix(count).enumerated().map { number, processor throws(SystemError) in
            let streams = configuration.streams.indices.filter { $0 % count == number }.map { ($0, configuration.streams[$0], counters[$0]) }
            return try Receiver(
                number: number, streams: streams, processor: processor, context: context, security: security, engine: engine,
                ids: configuration.ids, ingest: ingest, journal: journal, sources: configuration.state.sources, deadLetters: deadLetters,
                ranking: ranking, log: log)
        }
    }

    /// Binds or connects the sockets here, so that a port in use is the start's error and not a thread's.
    func start() throws {
        let loop = Handover(try makeLoop())
        loop.value.handOver()
        try thread.start("receiver \(number)", processor: processor) { [self] in
            do throws(ZeroMQError) {
                try loop.value.run(on: thread)
            } catch {
                log.critical("a receiver stopped: its streams are no longer read; restart the daemon", metadata: ["error": "\(error)"])
            }
            loop.value.close()
        }
    }

    func stop() { thread.stop() }
}

/// Carries what one thread made to the thread that will own it.
struct Handover<Value>: @unchecked Sendable {
    let value: Value
    init(_ value: Value) { self.value = value }
}
