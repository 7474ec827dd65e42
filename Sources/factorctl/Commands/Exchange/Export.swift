public import ArgumentParser
import FactordServer
import Factorization
import LinuxSystem
public import StreamTools

struct Export: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Gives events and factors to other programs.",
        subcommands: [ExportEvents.self, ExportFactors.self])
}

struct ExportEvents: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "events",
        abstract: "Writes the events of a file or a journal in another program's form.",
        discussion: """
            Forms: jsonl, csv; udata, dat and movielens (u.data, ratings.dat, ratings.csv); libfm, libsvm, libffm and vw. libFM, LIBSVM
            and LIBFFM number features: --names-out keeps what each number stands for, for `import --names`. What a form has no place for is said.

            Examples:
              factorctl export events factord-state --format csv --out events.csv
              factorctl export events ml-100k.inter.tsv.gz --format libfm --out ml.libfm --names-out ml.names
            """)

    @Argument(help: "File of events, as `publish` reads it, or a journal: its directory, or a daemon's state.")
    var file: String
    @Option(help: "How the events are written.")
    var format: ExportFormat
    @Option(help: ArgumentHelp("The file that is written; - for standard output.", valueName: "file"))
    var out: String
    @Option(help: ArgumentHelp("libfm, libsvm, libffm: where features' names go.", valueName: "file"))
    var namesOut: String?
    @OptionGroup(title: "Reading") var dataset: DatasetArguments

    func validate() throws {
        if namesOut != nil, !format.isNumbered { throw ValidationError("--names-out: \(format.rawValue) has names of its own") }
    }

    func run() throws {
        try interruptible {
            let records = try PrequentialEvaluation.records(path: file, options: dataset.options)
            let events = records.compactMap { if case .event(let event) = $0 { event } else { nil } }
            let lost = try format.write(events, to: out, names: namesOut)
            note("\(Quantity.grouped(events.count)) events")
            if records.count > events.count { note("\(Quantity.grouped(records.count - events.count)) other records are left out") }
            if !lost.isEmpty { note("\(format.rawValue) has no place for: \(lost.joined(separator: ", "))") }
            if format.isNumbered, namesOut == nil { note("numbers stand for features of which nothing is kept; --names-out FILE keeps them") }
        }
    }
}

struct ExportFactors: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "factors",
        abstract: "Writes the factors of a snapshot or of a running daemon.",
        discussion: """
            A directory with, for users, items and (where the model takes them) items as history context: npy: NAME.npy, NAME.ids,
            NAME.weights.npy; text: NAME.txt; word2vec: NAME.vec. model.json has kind, rank, w0 and, for bilinear, W, w_u and w_i. For kind
            mf, w0 + weight + weight + ⟨user, item⟩ is the score of who has no history and no attributes.

            Example: factorctl export factors --state factord-state --format npy --out factors
            """)

    @OptionGroup var source: StateSourceArguments
    @Option(help: "npy, text or word2vec.")
    var format = FactorFormat.npy
    @Option(help: ArgumentHelp("The directory that is written; made where it is missing.", valueName: "dir"))
    var out: String
    @Option(help: "The model's name; the first without.")
    var model: String?

    func run() throws {
        let state = try source.read(), engine = state.engine
        let number = try source.model(model, in: engine)
        _ = try Directory.create(out, permissions: 0o755)
        let settings = engine.models[number].settings
        var files: [String] = []
        for group in engine.factorGroups(model: number) { files += try format.write(group, to: out) }
        var members: [JSONTree.Member] = [
            .init(key: "name", value: .string(settings.name)), .init(key: "kind", value: .string(settings.kind.rawValue)),
            .init(key: "rank", value: .integer(Int64(settings.rank))), .init(key: "loss", value: .string(settings.loss.rawValue)),
            .init(key: "bias", value: .number(Double(engine.models[number].bias))),
        ]
        let parameters = engine.parameters(model: number)
        for (name, values) in zip(["matrix", "user_weight", "item_weight"], parameters) {
            members.append(.init(key: name, value: .array(values.map { .number(Double($0)) })))
        }
        try TextFile.write(JSONTree.object(members).json + "\n", to: "\(out)/model.json")
        note("Written: \((files + ["\(out)/model.json"]).joined(separator: ", "))")
    }
}

extension ExportFormat: ExpressibleByArgument {}
extension FactorFormat: ExpressibleByArgument {}
