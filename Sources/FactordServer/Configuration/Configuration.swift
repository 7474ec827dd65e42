public import Factorization

/// Everything that can be set about a daemon, with the defaults that need no file.
///
/// A value of this type has been validated when it came from `Configuration.load`. Which keys exist, what they accept and
/// what each means is listed once, in `Configuration+Keys.swift`; files, environment variables, flags, `factord check
/// --print` and the documentation all follow that list.
public struct Configuration: Sendable, Equatable, Codable {
    /// Where events arrive.
    public var streams: [Stream] = [Stream()]
    /// Where score and recommend requests are answered.
    public var requests = Requests()
    /// Where state-changing requests are answered.
    public var admin = Admin()
    /// Where metrics, health and the read-only methods are answered over HTTP.
    public var http = HTTP()
    /// Who may connect.
    public var security = Security()
    /// What lies on disk.
    public var state = State()
    /// Whether `1` and `"1"` are one id.
    public var ids = IdPolicy.canonical
    /// The models that learn from the streams, in the order in which an event is applied to them.
    public var models: [Model] = [Model()]
    /// Which users get which model.
    public var experiment = Experiment()
    /// Which model is to show that it is better than another.
    public var promotion = Promotion()
    /// What the daemon does for the rows of users while nothing comes.
    public var refinement = Refining()
    /// How lists of recommendations leave room for chance.
    public var exploration = Explorations()
    /// What an event of each type teaches; `*` stands for every type that is not listed, and is always present.
    public var events: [String: Event] = ["*": Event()]
    /// How many threads do what.
    public var threads = Threads()
    /// What is remembered of each user.
    public var history = History()
    /// How often users and items come.
    public var popularity = Popularity()
    /// Past interactions that are learned again.
    public var replay = Replay()
    /// How much memory what may take.
    public var memory = Memory()
    /// What the daemon says about itself.
    public var log = Log()
    /// Allows TCP endpoints that other machines can reach, although nothing checks who connects.
    public var insecure = false

    public init() {}

    /// One source of events.
    public struct Stream: Sendable, Equatable, Codable {
        public enum Mode: String, Sendable, Codable, CaseIterable { case bind, connect }
        public enum Pattern: String, Sendable, Codable, CaseIterable { case sub, pull, acknowledged }

        /// Unique among the streams; stands in logs and counters.
        public var name = "events"
        /// `tcp://HOST:PORT` or `ipc://PATH`.
        public var endpoint = "tcp://127.0.0.1:5560"
        public var mode = Mode.bind
        /// `pull` pushes back when the daemon is busy, `sub` loses what does not fit (and counts it), `acknowledged` answers each
        /// message once it is durable.
        public var pattern = Pattern.pull
        /// Topic prefixes that a `sub` stream asks for; empty means every message.
        public var topics: [String] = []
        /// Messages that may wait in each peer's queue.
        public var highWaterMark = 10_000
        /// The largest message frame; the transport drops a peer that sends more.
        public var maxMessage = ByteSize(mebibytes: 16)
        /// Public key of the publisher that a connecting stream connects to; "" for one without.
        public var serverKey = ""

        public init() {}
    }

    /// The reply socket.
    public struct Requests: Sendable, Equatable, Codable {
        public var endpoints = ["tcp://127.0.0.1:5561", "ipc://{state}/requests.sock"]
        /// The largest body that is looked at; a bigger one is answered with an error that names this limit.
        public var maxBody = ByteSize(mebibytes: 1)
        /// The largest message frame; the transport drops a client that sends more.
        public var maxMessage = ByteSize(mebibytes: 4)
        /// Replies that may wait for each client.
        public var highWaterMark = 1_000
        /// What stands in for a user who is not known, tried in this order.
        public var fallback = RequestFallback.allCases
        /// Requests of one client that may wait for a position or a thread.
        public var inFlight = 1_024
        /// Requests a second that one client may send; 0 for no limit.
        public var rate = 0

        public init() {}
    }

    /// The admin socket.
    public struct Admin: Sendable, Equatable, Codable {
        public var endpoint = "ipc://{state}/admin.sock"

        public init() {}
    }

    /// The HTTP side.
    public struct HTTP: Sendable, Equatable, Codable {
        /// `tcp://HOST:PORT` or `unix:PATH`; nil for none.
        public var endpoint: String? = "tcp://127.0.0.1:5562"
        /// Connections at once; past it the one that has been silent for longest goes.
        public var connections = 512
        /// How long a request may take to arrive, and an answer to be taken.
        public var timeout = TimeSpan(seconds: 5)
        /// How long a connection may stay without a request.
        public var idle = TimeSpan(seconds: 60)
        /// The folder of the dashboard's files; nil where they are looked for.
        public var assets: String?
        /// Whether a TCP endpoint may be reached from other machines.
        public var remote = false

        public init() {}
    }

    /// Who may connect.
    public struct Security: Sendable, Equatable, Codable {
        /// File of the daemon's secret key, or `credential:NAME`; "" for none: then no tcp endpoint asks for keys.
        public var serverKey = ""
        /// Who may publish, ask and administer: a directory of public keys, or a file with one a line; "" for nobody.
        public var publish = ""
        public var query = ""
        public var admin = ""
        /// Whether ipc endpoints ask for keys, too.
        public var ipc = false

        public init() {}
    }

    /// State on disk.
    public struct State: Sendable, Equatable, Codable {
        /// Relative paths start at the directory in which the daemon was started.
        public var directory = "./factord-state"
        public var snapshot = Snapshot()
        public var journal = Journal()
        /// Publishers that each stream tells apart, and whose last message acknowledged streams remember.
        public var sources = 10_000
        public var deadLetters = DeadLetters()

        public init() {}
    }

    public struct Snapshot: Sendable, Equatable, Codable {
        public enum Mode: String, Sendable, Codable, CaseIterable { case gates, deterministic }

        /// Between two snapshots; zero switches the timer off.
        public var interval = TimeSpan(seconds: 300)
        /// How many of the newest snapshots stay.
        public var keep = 3
        /// Whether a clean stop writes one.
        public var onShutdown = true
        /// How long that may take where the journal holds all of it, too.
        public var stopBudget = TimeSpan(seconds: 3)
        /// `gates` copies piece by piece while learning goes on, `deterministic` everything at once.
        public var mode = Mode.gates
        /// Bytes a second that are written at most; 0 for no limit.
        public var rate = ByteSize(mebibytes: 64)

        public init() {}
    }

    /// What was taken since the newest snapshot, on disk.
    public struct Journal: Sendable, Equatable, Codable {
        public enum Sync: String, Sendable, Codable, CaseIterable { case always, interval, never }

        /// Whether there is one; without, what was learned since the newest snapshot is lost in a crash.
        public var enabled = true
        public var directory = "{state}/journal"
        /// When `sub` and `pull` streams' records are made durable; `acknowledged` ones always are before the answer.
        public var sync = Sync.interval
        public var interval = TimeSpan(seconds: 1)
        /// How long an acknowledged message waits for others, to share one write to the disk.
        public var groupCommit = TimeSpan(nanoseconds: 5_000_000)
        /// Size at which a new file is begun.
        public var segmentBytes = ByteSize(mebibytes: 64)
        /// Memory for records on their way to the disk.
        public var tail = ByteSize(mebibytes: 32)

        public init() {}
    }

    /// Where records that could not be read go.
    public struct DeadLetters: Sendable, Equatable, Codable {
        public var directory = "{state}/dead-letters"
        /// A file that reaches this size is closed and the next one is begun.
        public var bytes = ByteSize(mebibytes: 16)
        /// How many files stay; the oldest goes first.
        public var files = 4

        public init() {}
    }

    /// What one event of a type teaches.
    public struct Event: Sendable, Equatable, Codable {
        public var label = EventLabel.valueOr(1)
        /// Factor on the event's own weight, 0 or more; 0 learns nothing.
        public var weight: Float = 1
        /// Whether the item counts as seen by the user from then on.
        public var seen = true

        public init() {}
    }

    public struct Threads: Sendable, Equatable, Codable {
        /// Threads that read and decode streams.
        public var receivers = Threads.defaultReceivers
        /// Threads that learn; one is deterministic.
        public var trainers = Threads.defaultTrainers
        /// Threads that scan a large catalogue for one request, the one that answers included.
        public var scorers = Threads.defaultScorers
        /// Threads that answer what takes long, such as recommendations.
        public var answerers = 1
        /// Which of them run on one processor only.
        public var pin = ProcessorPinning.none

        public init() {}
    }

    /// Bounds of what is kept.
    public struct Memory: Sendable, Equatable, Codable {
        /// Bytes of ids, rows, lists of attributes, histories and the replay reservoir; 0 for no bound.
        public var budget = ByteSize(bytes: 0)
        /// Times that an id must come before it gets a row, once the tables are 80 % full.
        public var admissionSightings = 2
        /// Events after which a row that none of them named may go; 0 for never.
        public var idleEvents = 0
        /// Bytes of all users' held items and seen sets.
        public var histories = ByteSize(mebibytes: 256)

        public init() {}
    }

    public struct History: Sendable, Equatable, Codable {
        /// Newest items held per user, in order.
        public var held = 100
        /// Items that a user's seen set holds at most.
        public var seenLimit = 10_000

        public init() {}
    }

    public struct Popularity: Sendable, Equatable, Codable {
        /// Events after which an interaction counts half; 0 for never.
        public var halfLife = 1_000_000
        /// A shorter one but 0 is refused: all counts would have to be rewritten too often.
        static let shortestHalfLife = 1000

        /// Interactions that the window of recent items reaches back.
        public var recent = 1_000_000

        public init() {}
    }

    /// A uniform sample of past interactions.
    public struct Replay: Sendable, Equatable, Codable {
        /// Interactions held, of all users together; 0 for none.
        public var capacity = 0
        /// How many of them are learned again with each event.
        public var perEvent = 1

        public init() {}
    }

    public struct Log: Sendable, Equatable, Codable {
        public enum Level: String, Sendable, Codable, CaseIterable { case trace, debug, info, notice, warning, error, critical }
        public enum Format: String, Sendable, Codable, CaseIterable { case text, json }

        public var level = Level.info
        public var format = Format.text

        public init() {}
    }
}

/// The label that an event of some type carries.
public enum EventLabel: Sendable, Equatable, Codable {
    /// The same label for every event of the type.
    case constant(Float)
    /// The event's own value; an event without one is set aside as a dead letter.
    case value
    /// The event's own value, or this when it has none.
    case valueOr(Float)
}
