import ArgumentParser
import StreamTools

/// How the forms that cannot be told from a file are called.
enum InputFormat: String, CaseIterable, ExpressibleByArgument {
    case csv, tsv, jsonl
    /// Tab-separated user, item, value, time without a header: MovieLens' u.data.
    case udata
    /// The same with `::`: ratings.dat.
    case dat
    case libfm, libsvm, libffm, vw

    var format: DatasetFormat {
        switch self {
        case .csv: .table(.comma, header: true)
        case .tsv: .table(.tab, header: true)
        case .jsonl: .jsonLines
        case .udata: .table(.tab, header: false)
        case .dat: .table(.doubleColon, header: false)
        case .libfm: .sparse(.libfm)
        case .libsvm: .sparse(.libsvm)
        case .libffm: .sparse(.libffm)
        case .vw: .sparse(.vw)
        }
    }
}

/// How to read the files.
struct DatasetArguments: ParsableArguments {
    @Option(help: "The files' form, where name and first line do not tell it: csv, tsv, jsonl, udata, dat, libfm, libsvm, libffm, vw.")
    var inputFormat: InputFormat?

    @Option(help: "file, as it stands, or time: sorted by time, ties as they stand (loads each file).")
    var order: DatasetOrder = .file

    @Option(help: "Event type of events that name none, such as rating.")
    var type: String?

    @Option(help: "Column of the user.")
    var userColumn: String?
    @Option(help: "Column of the item.")
    var itemColumn: String?
    @Option(help: "Column of the value.")
    var valueColumn: String?
    @Option(help: "Column of the time.")
    var timeColumn: String?
    @Option(help: "Column of the event type.")
    var typeColumn: String?
    @Option(help: "Column of the weight.")
    var weightColumn: String?
    @Option(help: ArgumentHelp("A column to send as context; can be repeated.", valueName: "column"))
    var contextColumn: [String] = []

    @Option(help: ArgumentHelp("libfm, libsvm, libffm: what numbers of features stand for, as `export` writes it.", valueName: "file"))
    var names: String?

    var options: DatasetOptions {
        get throws {
            var options = plainOptions
            options.names = try names.map { path throws(StreamToolsError) in try FeatureNames(path: path) }
            return options
        }
    }

    private var plainOptions: DatasetOptions {
        DatasetOptions(
            format: inputFormat?.format, order: order, userColumn: userColumn, itemColumn: itemColumn,
            valueColumn: valueColumn, timeColumn: timeColumn, typeColumn: typeColumn, weightColumn: weightColumn,
            contextColumns: contextColumn, type: type)
    }
}
