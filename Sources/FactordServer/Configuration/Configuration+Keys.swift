import Factorization

// The one list of keys. A key is added here and in the struct that holds it; reading, printing, environment variables and
// documentation follow.

extension Configuration {
    static var section: Section<Configuration> {
        Section(entries: [
            .list(
                "streams", \.streams, of: Stream.section, element: Stream.init(place:),
                "Where events arrive: any number of streams."),
            .group("requests", \.requests, Requests.section, "Where score and recommend requests are answered."),
            .group("admin", \.admin, Admin.section, "Where snapshots and other changes are asked for."),
            .group("http", \.http, HTTP.section, "Where metrics, health and the methods that only read are asked for over HTTP."),
            .group("security", \.security, Security.section, "Who may connect over tcp: with a server key, every tcp endpoint but HTTP's asks for keys (CURVE)."),
            .group("state", \.state, State.section, "What lies on disk."),
            .value("ids", \.ids, .choice, .newModel, "Whether `1` and `\"1\"` are one id (canonical) or two (exact)."),
            .list(
                "models", \.models, of: Model.section, element: Model.init(place:),
                "What learns from the streams; a single one may be written as `model:`."),
            .group("experiment", \.experiment, Experiment.section, "Which users get which model, where a request names none."),
            .group("promotion", \.promotion, Promotion.section, "Which model is to show on the stream that it is better than another."),
            .group("refinement", \.refinement, Refining.section, "Rows of users are re-solved from what is held of them, in idle time."),
            .group("exploration", \.exploration, Explorations.section, "How lists of recommendations leave room for chance, where a request does not say."),
            .map(
                "events", \.events, of: Event.section, element: Event(),
                "What an event of each type teaches; \"*\" stands for all types not listed."),
            .group("threads", \.threads, Threads.section, "How many threads do what."),
            .group("history", \.history, History.section, "What is remembered of each user."),
            .group("popularity", \.popularity, Popularity.section, "How often users and items come: the fallback's order, and the weight of negatives."),
            .group("replay", \.replay, Replay.section, "Past interactions that are learned again."),
            .group("memory", \.memory, Memory.section, "How much memory what may take."),
            .group("log", \.log, Log.section, "What the daemon says, on standard error."),
            .value(
                "insecure", \.insecure, .flag, .restart,
                "Allow TCP endpoints that other machines can reach, with nothing to check who connects; see security.server_key."),
        ])
    }
}

extension Configuration.Stream {
    /// The defaults of the stream at a place in the list: the first has a name and an endpoint, a later one must be given its own.
    init(place: Int) {
        self.init()
        if place > 0 {
            name = "events-\(place + 1)"
            endpoint = ""
        }
    }

    static var section: Section<Self> {
        Section(entries: [
            .value("name", \.name, .name, .restart, "Stands in logs and counters."),
            .value("endpoint", \.endpoint, .endpoint, .restart, "tcp://HOST:PORT or ipc://PATH."),
            .value("mode", \.mode, .choice, .restart, "Whether factord binds the endpoint or connects to it."),
            .value("pattern", \.pattern, .choice, .restart, "pull pushes back when busy; sub loses what does not fit, and counts it; acknowledged answers each message once it is durable."),
            .value("topics", \.topics, .texts("prefixes"), .restart, "Topic prefixes of a sub stream; none means every message."),
            .value("high_water_mark", \.highWaterMark, .integer(1...1_000_000), .restart, "Messages that may wait per peer."),
            .value("max_message", \.maxMessage, .size(ByteSize(bytes: 1024)...ByteSize(mebibytes: 1024)), .restart, "Largest message frame; a peer that sends more is dropped."),
            .value("server_key", \.serverKey, .text, .restart, "With mode: connect, the publisher's public key (40 characters) where it asks for keys; factord shows its own, security.server_key."),
        ])
    }
}

extension Configuration.Requests {
    static var section: Section<Self> {
        Section(entries: [
            .value("endpoints", \.endpoints, .texts("endpoints"), .restart, "Bound for requests; {state} stands for state.directory."),
            .value("max_body", \.maxBody, .size(ByteSize(bytes: 1024)...ByteSize(mebibytes: 1024)), .live, "Largest request body; a bigger one is answered with an error."),
            .value("max_message", \.maxMessage, .size(ByteSize(bytes: 1024)...ByteSize(mebibytes: 1024)), .restart, "Largest message frame; a client that sends more is dropped."),
            .value("high_water_mark", \.highWaterMark, .integer(1...1_000_000), .restart, "Replies that may wait per client."),
            .value("fallback", \.fallback, .choices, .restart, "What stands in for an unknown user, tried in this order: items named in the request, attributes, context, popularity."),
            .value("in_flight", \.inFlight, .integer(1...1_000_000), .live, "Requests of one client that may wait for a position or a thread; the next is told that the daemon is busy."),
            .value("rate", \.rate, .integer(0...10_000_000), .live, "Requests a second that one client may send; 0 for no limit."),
        ])
    }
}

extension Configuration.Admin {
    static var section: Section<Self> {
        Section(entries: [
            .value("endpoint", \.endpoint, .endpoint, .restart, "Bound for admin requests; {state} stands for state.directory."),
        ])
    }
}

extension Configuration.HTTP {
    static var section: Section<Self> {
        Section(entries: [
            .value("endpoint", \.endpoint, .optionalEndpoint, .restart, "tcp://HOST:PORT or unix:PATH; null for none. {state} stands for state.directory."),
            .value("connections", \.connections, .integer(8...100_000), .restart, "Connections at once; past it the one that has been silent for longest makes room."),
            .value("timeout", \.timeout, .span(TimeSpan(nanoseconds: 100_000_000)...TimeSpan(seconds: 600)), .restart, "How long a request may take to arrive, and an answer to be taken."),
            .value("idle", \.idle, .span(TimeSpan(nanoseconds: 100_000_000)...TimeSpan(seconds: 3600)), .restart, "How long a connection may stay without a request."),
            .value("assets", \.assets, .optionalPath, .restart, "The folder of the dashboard's files; null for `\(DashboardAssets.installed)`, or `Deploy/dashboard` of the checkout that factord was built in."),
            .value("remote", \.remote, .flag, .restart, "Allow a tcp://HOST:PORT that other machines can reach. HTTP has neither keys nor encryption: for a proxy, or a network that is trusted."),
        ])
    }
}

extension Configuration.Security {
    static var section: Section<Self> {
        Section(entries: [
            .value("server_key", \.serverKey, .text, .restart, "File of the daemon's secret key (factorctl keygen), or credential:NAME for systemd's LoadCredential=; none for no keys."),
            .value("publish", \.publish, .text, .restart, "Who may send to streams: a directory of public keys (*.pub), or a file with one a line. Keys are read anew at each reload."),
            .value("query", \.query, .text, .restart, "Who may ask: the same for requests.endpoints."),
            .value("admin", \.admin, .text, .restart, "Who may change state: the same for admin.endpoint."),
            .value("ipc", \.ipc, .flag, .restart, "Whether ipc endpoints ask for keys, too; without, the rights of the socket's file decide."),
        ])
    }
}

extension Configuration.State {
    static var section: Section<Self> {
        Section(entries: [
            .value("directory", \.directory, .path, .restart, "Holds snapshots, dead letters and ipc sockets."),
            .group("snapshot", \.snapshot, Configuration.Snapshot.section, "Copies of all that was learned."),
            .group("journal", \.journal, Configuration.Journal.section, "What was taken since the newest snapshot."),
            .value("sources", \.sources, .integer(1...1_000_000), .restart, "Publishers told apart by each stream, and remembered by the acknowledged ones together; at the limit the one silent for longest goes."),
            .group("dead_letters", \.deadLetters, Configuration.DeadLetters.section, "Records that could not be read, each with its reason."),
        ])
    }
}

extension Configuration.Snapshot {
    static var section: Section<Self> {
        Section(entries: [
            .value("interval", \.interval, .span(TimeSpan(seconds: 0)...TimeSpan(seconds: 86_400 * 365)), .live, "Time between two snapshots; 0 switches the timer off."),
            .value("keep", \.keep, .integer(1...1000), .live, "How many of the newest stay."),
            .value("on_shutdown", \.onShutdown, .flag, .live, "Write one at a clean stop."),
            .value("stop_budget", \.stopBudget, .span(TimeSpan(seconds: 0)...TimeSpan(seconds: 3600)), .restart, "At a stop, none is written that would take longer, where the journal holds all of it, too."),
            .value("mode", \.mode, .choice, .restart, "gates: piece by piece while learning goes on, a pause of less than a millisecond each; deterministic: all at once, bit for bit, with as much memory again."),
            .value("rate", \.rate, .size(ByteSize(bytes: 0)...ByteSize(mebibytes: 1 << 20)), .live, "Bytes a second that are written at most; 0 for no limit. The final one is not held back."),
        ])
    }
}

extension Configuration.Journal {
    static var section: Section<Self> {
        Section(entries: [
            .value("enabled", \.enabled, .flag, .restart, "Without a journal a crash costs all since the newest snapshot, and no stream can be acknowledged."),
            .value("directory", \.directory, .path, .restart, "Where its segments lie; {state} stands for state.directory."),
            .value("sync", \.sync, .choice, .restart, "When sub and pull streams' records are made durable: each batch at once, each interval, or as the system likes. Acknowledged ones always are before the answer."),
            .value("interval", \.interval, .span(TimeSpan(nanoseconds: 1_000_000)...TimeSpan(seconds: 3600)), .restart, "With sync: interval, what a power cut may cost at most."),
            .value("group_commit", \.groupCommit, .span(TimeSpan(seconds: 0)...TimeSpan(seconds: 1)), .restart, "How long an acknowledged message may wait for others, to share a write to the disk."),
            .value("segment_bytes", \.segmentBytes, .size(ByteSize(mebibytes: 1)...ByteSize(mebibytes: 4096)), .restart, "Size at which a new file is begun."),
            .value("tail", \.tail, .size(ByteSize(mebibytes: 4)...ByteSize(mebibytes: 1024)), .restart, "Memory for records on their way to the disk; when it is full, streams wait."),
        ])
    }
}

extension Configuration.DeadLetters {
    static var section: Section<Self> {
        Section(entries: [
            .value("directory", \.directory, .path, .restart, "Where they go; {state} stands for state.directory."),
            .value("bytes", \.bytes, .size(ByteSize(bytes: 65_536)...ByteSize(mebibytes: 65_536)), .restart, "Size at which a new file is begun."),
            .value("files", \.files, .integer(1...1000), .restart, "How many files stay."),
        ])
    }
}

extension Configuration.Model {
    /// The defaults of the model at a place in the list; a later one needs a name of its own, and gets one.
    init(place: Int) {
        self.init()
        if place > 0 { name = "model-\(place + 1)" }
    }

    static var section: Section<Self> {
        Section(
            prepare: { model, node in
                let loss = node["loss"].flatMap(SettingType<Loss>.choice.read)
                let rank = node["rank"].flatMap(SettingType<Int>.integer(1...512).read)
                let name = model.name
                model = Self(
                    loss: loss ?? model.loss, rank: rank ?? model.rank,
                    kind: node["kind"].flatMap(SettingType<Kind>.choice.read) ?? model.kind,
                    unobserved: node["unobserved"].flatMap(SettingType<ModelSettings.Unobserved>.choice.read) ?? model.unobserved,
                    historyLength: node["history"]?["length"].flatMap(SettingType<Int>.integer(0...256).read))
                model.name = name
                let optimizer = node["optimizer"]?["kind"].flatMap(SettingType<ModelSettings.Optimizer>.choice.read)
                if let optimizer, optimizer != .sgd, model.unobserved == .sampled { model.refolding.after = 0 }
            },
            entries: [
                .value("name", \.name, .name, .newModel, "Stands in requests, counters and snapshots."),
                .value("kind", \.kind, .choice, .newModel, "mf: user side times item side; fm: every pair of features; gfm: every pair, two vectors a feature; bilinear: mf through a matrix; hofm: sets of up to `order` features; ffm: every pair, a vector for each field."),
                .value("rank", \.rank, .integer(1...512), .newModel, "Length of a factor vector."),
                .value("storage", \.storage, .choice, .newModel, "bfloat16: factors in two bytes, rounded by chance; half the memory of rows and of scans, learning takes longer. Not with unobserved: regularized, interaction_user, interaction_item or forgetting."),
                .value("symmetric", \.symmetric, .flag, .newModel, "bilinear: one symmetric matrix for every pair of features."),
                .value("order", \.order, .integer(ModelSettings.orders), .newModel, "hofm: most features of a set."),
                .value("ranks", \.ranks, .integers(ModelSettings.ranks), .newModel, defaultText: "rank for each", "hofm: ranks of the orders 2, 3, … order."),
                .value("fields", \.fields, .texts("fields"), .newModel, "ffm: context fields with vectors of their own, at most 16; all others share one."),
                .value("loss", \.loss, .choice, .newModel, "logistic for clicks and purchases, squared for ratings; bpr and warp rank positives above sampled items."),
                .value("unobserved", \.unobserved, .choice, .newModel, "sampled: negatives stand for what a user did not touch; regularized: the regulariser over all pairs does, without draws and biases. For kinds mf and fm, not with loss bpr or warp, nor with schedule: inverse-time."),
                .value("seed", \.seed, .integer(0...UInt64.max), .newModel, "First factors and negatives follow from it."),
                .value("initial_deviation", \.initialDeviation, .number(0...10), .newModel, defaultText: "0.3/√rank", "Standard deviation of the factors of a new row."),
                .group("optimizer", \.optimizer, Configuration.Optimizer.section, "How far a step goes."),
                .group("negatives", \.negatives, Configuration.Negatives.section, "Items drawn beside each positive event, taught as label 0."),
                .group("history", \.history, Configuration.HistoryContext.section, "The user's newest items as context of every score."),
                .group("refinement", \.refinement, Configuration.Refinement.section, "Users' rows are re-solved from the held history, in idle time (refinement.budget)."),
                .group("refolding", \.refolding, Configuration.Refolding.section, "Users' rows that have slept are brought up to date from the held history."),
                .group("forgetting", \.forgetting, Configuration.Forgetting.section, "How what is old loses weight."),
                .group("regularization", \.regularization, Configuration.Regularization.section, "Strengths of the squared penalty."),
            ])
    }
}

extension Configuration.Optimizer {
    static var section: Section<Self> {
        let rates: ClosedRange<Float> = 0...10
        return Section(
            prepare: { optimizer, node in
                let kind = node["kind"].flatMap(SettingType<Kind>.choice.read)
                let rate = node["rate"].flatMap(SettingType<Float>.number(rates).read)
                if kind != nil || rate != nil { optimizer = Self(kind: kind ?? optimizer.kind, rate: rate) }
            },
            entries: [
                .value("kind", \.kind, .choice, .newModel, defaultText: "sgd, other kinds than mf and squared loss adagrad, regularized sgd", "sgd: constant steps; adagrad: steps that shrink with the squared gradients of a row. Written down, it gives every rate that is not written the kind's default, with regularized, too."),
                .value("rate", \.rate, .number(rates), .live, defaultText: "0.1, sgd 0.07, regularized 0.4, with history 0.1", "Learning rate of every part without its own. Written down, it sets those of all parts that are not written anew, with regularized, too."),
                .value("rate_user", \.rateUser, .number(rates), .live, defaultText: "rate", "Learning rate of user factors."),
                .value("rate_item", \.rateItem, .number(rates), .live, defaultText: "rate, regularized with history 0.15", "Learning rate of item factors."),
                .value("rate_context", \.rateContext, .number(rates), .live, defaultText: "rate", "Learning rate of context factors."),
                .value("rate_history", \.rateHistory, .number(rates), .live, defaultText: "rate, regularized with history 0.05", "Learning rate of the rows of history items."),
                .value("rate_attribute", \.rateAttribute, .number(rates), .live, defaultText: "rate, sgd 0.2 · rate", "Learning rate of the rows of users' and items' attributes."),
                .value("rate_weight", \.rateWeight, .number(rates), .live, defaultText: "2 · rate, sgd 1.5 · rate", "Learning rate of linear weights and the global bias."),
                .value("schedule", \.schedule, .choice, .restart, "sgd: constant rates, or inverse-time: rate / (1 + updates of the row / horizon)."),
                .value("horizon", \.horizon, .number(1...1_000_000), .restart, "Updates of a row after which inverse-time has halved its rate."),
                .value("half_life", \.halfLife, .number(0...1e6), .restart, "adagrad: updates of a row after which a squared gradient counts half; 0 for never."),
                .value("weights", \.weights, .choice, .newModel, "Linear weights: same, by the optimizer's kind; ftrl, held at zero by L1 until enough speaks for them."),
                .value("ftrl_alpha", \.ftrlAlpha, .number(0.001...10), .restart, "ftrl: learning rate, alpha / (beta + √(sum of squared gradients))."),
                .value("ftrl_beta", \.ftrlBeta, .number(0...1000), .restart, "ftrl: damps the first steps."),
                .value("ftrl_l1", \.ftrlL1, .number(0...1e6), .restart, "ftrl: a weight is zero while its sum of gradients is within this."),
                .value("ftrl_l2", \.ftrlL2, .number(0...1e6), .restart, "ftrl: squared penalty on weights, in place of regularization.weight."),
                .value("sparse_factors", \.sparseFactors, .flag, .newModel, "ftrl: rows whose weight is zero keep no factors."),
            ])
    }
}

extension Configuration.HistoryContext {
    static var section: Section<Self> {
        Section(entries: [
            .value("length", \.length, .integer(0...256), .newModel, defaultText: "20, other kinds than mf and squared loss 0", "Newest items taken; 0 for none."),
            .value("decay", \.decay, .number(0.01...1), .newModel, "Weight of an item relative to the one after it."),
        ])
    }
}

extension Configuration.Refinement {
    static var section: Section<Self> {
        Section(entries: [
            .value("passes", \.passes, .number(0...100), .restart, defaultText: "0.3, regularized 1; 0 for squared loss and other kinds than mf", "How far a row may go: as far as so many passes of the stream's steps; 0 for not at all. For implicit feedback: without negatives, and not regularized, nothing happens."),
            .value("decay", \.decay, .number(0.1...1), .restart, defaultText: "0.95, regularized without history 0.85", "Weight of a held item relative to the one after it."),
        ])
    }
}

extension Configuration.Refolding {
    static var section: Section<Self> {
        Section(entries: [
            .value("after", \.after, .integer(0...UInt64.max >> 1), .restart, defaultText: "50000 where possible", "Events since a user's last one after which the row is stale; 0 for never. For kind mf, with unobserved: regularized or loss logistic and sgd."),
            .value("items", \.items, .integer(1...4096), .restart, "Newest held items that the pass walks over."),
            .value("lasting", \.lasting, .flag, .restart, "Whether the user's next event also folds the stored row; that costs a pass for each event of a stale user. Answers fold either way."),
            .value("rate", \.rate, .number(0...10), .restart, defaultText: "0.05, regularized 0.4, with history 0.1", "Learning rate of the pass."),
        ])
    }
}

extension Configuration.Forgetting {
    static var section: Section<Self> {
        Section(entries: [
            .value("half_life", \.halfLife, .integer(0...1 << 48), .restart, "Events in which an untouched row loses half of its size; 0 for never."),
        ])
    }
}

extension Configuration.Negatives {
    static var section: Section<Self> {
        Section(entries: [
            .value("count", \.count, .integer(0...ModelSettings.mostNegatives), .restart, defaultText: "8, squared loss and regularized 0, warp 16", "Items drawn per positive event."),
            .value("verified", \.verified, .flag, .restart, "Leave out a drawn item that the user has seen."),
            .value("popularity_exponent", \.popularityExponent, .number(0...2), .restart, "Draw items by their popularity to this power; 0 draws all alike."),
        ])
    }
}

extension Configuration.Regularization {
    static var section: Section<Self> {
        let strengths: ClosedRange<Float> = 0...100
        return Section(entries: [
            .value("user", \.user, .number(strengths), .live, defaultText: "0.001, squared loss 0.03, regularized 0.0003", "On user factors."),
            .value("item", \.item, .number(strengths), .live, defaultText: "0.0005, squared loss 0.03, regularized 0.0003", "On item factors."),
            .value("context", \.context, .number(strengths), .live, defaultText: "0.0005, squared loss 0.03", "On context factors."),
            .value("history", \.history, .number(strengths), .live, defaultText: "0.0005, squared loss 0.03, regularized 0.0003", "On the rows of history items."),
            .value("attribute", \.attribute, .number(strengths), .live, defaultText: "0.0005, squared loss 0.03", "On the rows of attributes."),
            .value("weight", \.weight, .number(strengths), .live, "On linear weights."),
            .value("interaction_user", \.interactionUser, .number(0...1000), .restart, defaultText: "0, regularized 4", "On the scores of all user × item pairs, user side; 0 for none."),
            .value("interaction_item", \.interactionItem, .number(0...1000), .restart, defaultText: "0, regularized 1, with history 4", "On the scores of all user × item pairs, item side; 0 for none."),
        ])
    }
}

extension Configuration.Event {
    static var section: Section<Self> {
        Section(entries: [
            .value("label", \.label, .label, .restart, "The label that is learned; value takes the event's own. Logistic loss takes 0…1: below counts as 0, above as 1."),
            .value("weight", \.weight, .number(0...1000), .restart, "Factor on the event's weight; 0 learns nothing."),
            .value("seen", \.seen, .flag, .restart, "The item then counts as seen by the user."),
        ])
    }
}

extension Configuration.Threads {
    static var section: Section<Self> {
        Section(entries: [
            .value("receivers", \.receivers, .integer(1...64), .restart, defaultText: "a quarter of the processors, 1 to 4", "Threads that read and decode, the streams divided among them; more than streams are of no use."),
            .value("trainers", \.trainers, .integer(1...64), .restart, defaultText: "half the processors, at most 8", "Threads that learn; with 1 the result is a function of the events alone."),
            .value("scorers", \.scorers, .integer(1...8), .restart, defaultText: "half the processors, 1 to 8", "Threads that scan a catalogue for one request, the one that answers included; helpers sleep but for catalogues of many thousand items."),
            .value("answerers", \.answerers, .integer(1...64), .restart, "Threads that answer all but single score and ping requests of up to 16 KiB, which do not wait for them."),
            .value("pin", \.pin, .pinning, .restart, "Processors that trainers, then receivers, are bound to, one each; auto takes those that the process may use. Only where nothing else runs on them."),
        ])
    }
}

extension Configuration.History {
    static var section: Section<Self> {
        Section(entries: [
            .value("held", \.held, .integer(0...4096), .restart, "Newest items held per user, in order: for history as context and for refolding."),
            .value("seen_limit", \.seenLimit, .integer(0...1_000_000), .newModel, "Items that a user's seen set holds at most."),
        ])
    }
}

extension Configuration.Popularity {
    static var section: Section<Self> {
        Section(entries: [
            .value("half_life", \.halfLife, .integer(0...1_000_000_000_000), .restart, "Events after which an interaction counts half; 0 for never, else 1000 or more."),
            .value("recent", \.recent, .integer(1...1_000_000_000_000), .restart, "Newest interactions that popular with a half-life and trending count; beyond 262,144 a sample stands for them, in 1 MiB at most."),
        ])
    }
}

extension Configuration.Replay {
    static var section: Section<Self> {
        Section(entries: [
            .value("capacity", \.capacity, .integer(0...1_000_000_000), .restart, "Past interactions kept as a uniform sample, 20 bytes each; 0 for none."),
            .value("per_event", \.perEvent, .integer(0...16), .restart, "How many of them are learned again with each event."),
        ])
    }
}

extension Configuration.Memory {
    static var section: Section<Self> {
        Section(entries: [
            .value("budget", \.budget, .size(ByteSize(bytes: 0)...ByteSize(mebibytes: 1 << 24)), .restart, "Ids, rows, attributes, histories and replay together; near it ids must earn their rows, at it the rarest make room. 0 for no bound."),
            .value("admission_sightings", \.admissionSightings, .integer(1...15), .restart, "Times that an id must come before it gets a row, once 80 % of the budget are used."),
            .value("idle_events", \.idleEvents, .integer(0...Int.max), .restart, "Events after which a user, item or context value that none of them named may go; 0 for never, else 1000 or more."),
            .value("histories", \.histories, .size(ByteSize(mebibytes: 1)...ByteSize(mebibytes: 1 << 22)), .restart, "All users' held items and seen sets; near it, full ones keep their newest half, and sets take no more."),
        ])
    }
}

extension Configuration.Log {
    static var section: Section<Self> {
        Section(entries: [
            .value("level", \.level, .choice, .live, "Least severity that is written."),
            .value("format", \.format, .choice, .restart, "text for people and journald, json for machines."),
        ])
    }
}
