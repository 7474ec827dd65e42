import ArgumentParser
import Persistence
import StreamTools

/// `factorctl journal`: looks at a journal on disk, and mends one that a start has refused.
struct JournalCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "journal", abstract: "Lists or repairs the journal of a daemon that does not run.",
        subcommands: [ListJournal.self, RepairJournal.self])
}

/// Which journal.
struct JournalArguments: ParsableArguments {
    @Option(help: ArgumentHelp("The daemon's state directory.", valueName: "dir"))
    var state = "./factord-state"

    @Argument(help: ArgumentHelp("The journal's directory, where it is not `journal` in the state directory.", valueName: "dir"))
    var directory: String?

    var path: String { directory ?? state + "/journal" }
}

/// Exit status of sysexits.h for data that is not what it should be.
private let damagedExitCode = ExitCode(65)

struct ListJournal: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Says what segments there are, and reads every record to see that it holds.",
        discussion: "Exits with 65 where one does not.")

    @OptionGroup var journal: JournalArguments
    @OptionGroup var output: OutputOptions

    func run() throws {
        let path = journal.path
        do throws(PersistenceError) {
            let segments = try JournalReader.segments(of: path)
            let reader = try JournalReader(directory: path)
            var records = 0, first: UInt64?, last: UInt64 = 0
            let progress = ByteProgress(label: "read")
            defer { progress.finish() }
            try reader.forEach { record throws(PersistenceError) in
                records += 1
                if first == nil { first = record.header.firstPosition }
                last = max(last, record.header.lastPosition)
                progress(reader.readBytes, of: reader.totalBytes)
            }
            progress.finish()
            if output.json {
                say(json(segments, records: records, first: first ?? 0, last: last, holes: reader.holes))
            } else {
                for segment in segments {
                    say("\(segment.name)  from record \(Quantity.grouped(Int(segment.firstNumber))), \(Quantity.bytes(Int(segment.bytes)))")
                }
                say(records == 0 ? "no records" : "\(Quantity.grouped(records)) records, positions \(first ?? 0) to \(last), all in order")
                for hole in reader.holes { say("\(hole)") }
            }
        } catch {
            note("\(error)")
            if case .damaged = error { throw damagedExitCode }
            throw ExitCode.failure
        }
    }

    private func json(_ segments: [JournalReader.Segment], records: Int, first: UInt64, last: UInt64, holes: [JournalHole]) -> String {
        func number(_ key: String, _ value: UInt64) -> JSONTree.Member { JSONTree.Member(key: key, value: .integer(Int64(clamping: value))) }
        let list = segments.map { segment in
            JSONTree.object([
                JSONTree.Member(key: "name", value: .string(segment.name)), number("first_record", segment.firstNumber),
                number("bytes", segment.bytes),
            ])
        }
        return JSONTree.object([
            JSONTree.Member(key: "segments", value: .array(list)), number("records", UInt64(records)), number("first_position", first),
            number("last_position", last), number("holes", UInt64(holes.count)),
        ]).json
    }
}

struct RepairJournal: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "repair", abstract: "Cuts a damaged journal where the damage begins.",
        discussion: "What is cut is kept beside it, in quarantine/. Says which positions are lost. The daemon must not run.")

    @OptionGroup var journal: JournalArguments

    func run() throws {
        do throws(PersistenceError) {
            let progress = ByteProgress(label: "read")
            defer { progress.finish() }
            let repair = try Journal.repair(directory: journal.path, progress: progress.callAsFunction)
            progress.finish()
            guard let repair else {
                return say("\(journal.path): nothing is damaged")
            }
            say("\(repair.cause)\n\(repair)")
        } catch {
            note("\(error)")
            throw ExitCode.failure
        }
    }
}
