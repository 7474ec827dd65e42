import ArgumentParser
import FactordServer
import Factorization
import LinuxSystem
import StreamTools

struct Import: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Takes events and factors of other programs.",
        subcommands: [ImportEvents.self, ImportFactors.self], defaultSubcommand: ImportEvents.self)
}

struct ImportEvents: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "events",
        abstract: "Turns files of events into JSON lines, as streams take them.",
        discussion: """
            Reads libFM, LIBSVM, LIBFFM and Vowpal Wabbit text, CSV and TSV, MovieLens (u.data, ratings.dat, ratings.csv) and JSON lines,
            each also with .gz. `publish`, `train` and `evaluate` read the same files by themselves; this shows what they see.

            In libFM, LIBSVM and LIBFFM a line's first feature is the user, the second the item, the others context; with --names FILE,
            which `export` writes, each is what it was. Vowpal Wabbit: `label [importance] |user u |item i |type t |FIELD value[:x]`.

            Examples:
              factorctl import train.libfm --names train.names --out events.jsonl
              factorctl import clicks.vw --out - | head
            """)

    @Argument(help: "Files, one after the other.")
    var files: [String]
    @OptionGroup(title: "Reading") var dataset: DatasetArguments
    @Option(help: ArgumentHelp("The file that is written; - for standard output.", valueName: "file"))
    var out = "-"

    func run() throws {
        try interruptible {
            let file = try EventFile(path: out)
            var events = 0
            for path in files {
                let reader = try DatasetReader(path: path, options: dataset.options)
                var bar = ProgressBar(label: path)
                while let record = try reader.next() {
                    switch record {
                    case .event(let event): try file.append(event)
                    case .json(let line): try file.append(json: line)
                    }
                    events += 1
                    if events & 0xFFF == 0 {
                        try Interruption.check()
                        bar.update(done: events, fraction: reader.fractionRead)
                    }
                }
                bar.giveWay()
            }
            try file.flush()
            note("\(Quantity.grouped(events)) events")
        }
    }
}

struct ImportFactors: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "factors",
        abstract: "Makes a daemon's state of factors that another program has learned.",
        discussion: """
            For models whose score is ⟨user, item⟩ (implicit, Spark's ALS) or that with a bias for each (LightFM): a model of kind mf holds
            them as they are, and goes on learning. Files by their names: .npy (numpy, rows × rank), .txt (id, weight, factors; tabs)
            and .vec (word2vec). Rows of .npy are numbered from 0 unless --user-ids and --item-ids give an id a line.

            implicit:  numpy.save("users.npy", model.user_factors); numpy.save("items.npy", model.item_factors)
            LightFM:   numpy.save("users.npy", model.user_embeddings); numpy.save("user_biases.npy", model.user_biases); items likewise
            Spark:     model.userFactors.toPandas() has columns id and features; save numpy.stack(features) and the ids

            Example: factorctl import factors --users users.npy --items items.npy --out state, then factord --state state with the
            same --set, and model.rank as it is told.
            """)

    @Option(help: ArgumentHelp("Users' factors.", valueName: "file"))
    var users: String
    @Option(help: ArgumentHelp("Items' factors.", valueName: "file"))
    var items: String
    @Option(help: ArgumentHelp("An id a line, for .npy.", valueName: "file"))
    var userIds: String?
    @Option(help: ArgumentHelp("An id a line, for .npy.", valueName: "file"))
    var itemIds: String?
    @Option(help: ArgumentHelp("A number for each user, .npy.", valueName: "file"))
    var userBiases: String?
    @Option(help: ArgumentHelp("A number for each item, .npy.", valueName: "file"))
    var itemBiases: String?
    @Option(help: "The global bias.")
    var bias: Float = 0

    @Option(help: ArgumentHelp("The state directory that is written: a new one.", valueName: "dir"))
    var out: String
    @Option(help: ArgumentHelp("The daemon's configuration; defaults without.", valueName: "file"))
    var config: String?
    @Option(name: .customLong("set"), parsing: .singleValue, help: ArgumentHelp("Set one key of it.", valueName: "key=value"))
    var settings: [String] = []

    func run() throws {
        let userRows = try read("users", users, userIds, userBiases), itemRows = try read("items", items, itemIds, itemBiases)
        guard userRows.rank == itemRows.rank, ModelSettings.ranks.contains(userRows.rank) else {
            throw ValidationError("\(users) has rank \(userRows.rank), \(items) \(itemRows.rank); both must be the same, 1 to 512")
        }
        let configuration = try loaded(rank: userRows.rank)
        var settings = configuration.engineSettings
        settings.trainers = 1
        let model = settings.models[0], hasBiases = userRows.weights != nil || itemRows.weights != nil || bias != 0
        guard model.kind == .mf, model.storage == .float32, model.weightFtrl == nil else {
            throw ValidationError("factors go into a first model of kind mf, storage float32, without ftrl")
        }
        guard model.unobserved == .sampled || !hasBiases else { throw ValidationError("a model with unobserved: regularized has no biases") }
        let engine = Engine(settings: settings)
        engine.adopt(users: userRows, items: itemRows)
        if model.unobserved == .sampled { engine.set(bias: bias) }
        let written = try OfflineState.write(engine, configuration, to: out)
        note("State: \(written.path), \(Quantity.grouped(userRows.ids.count)) users, \(Quantity.grouped(itemRows.ids.count)) items; for a daemon with model.rank=\(userRows.rank)")
    }

    private func read(_ name: String, _ path: String, _ ids: String?, _ biases: String?) throws -> FactorGroup {
        guard let format = FactorFormat(path: path) else { throw ValidationError("\(path): name a file that ends in .npy, .txt or .vec") }
        return try format.read(name, path: path, ids: ids, weights: biases)
    }

    private func loaded(rank: Int) throws -> Configuration {
        let flags = (["model.rank=\(rank)"] + settings).map { setting in
            let parts = setting.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            return ConfigurationSources.Flag(path: parts[0], value: parts.count > 1 ? parts[1] : "", shown: "--set \(setting)")
        }
        return try Configuration.load(ConfigurationSources(file: config, environment: [:], flags: flags)).configuration
    }
}
