import ArgumentParser
import LinuxSystem
import StreamTools

struct Publish: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Sends the events of files into a stream.",
        discussion: """
            Reads csv and tsv with a header (RecBole's too), MovieLens' u.data, ratings.dat and ratings.csv, and JSON
            lines (passed on as they stand, so any record of a stream), each also with .gz; `-` is standard input.

            Examples:
              factorctl publish ml-100k.inter.tsv.gz --order time --type rating
              factorctl publish events.jsonl.gz --format json --rate 1000
              factorctl publish clicks.csv --user-column visitor --item-column page --context-column hour
            """)

    @Argument(help: "Files, in the order in which they are sent.")
    var files: [String]

    @OptionGroup(title: "Reading") var dataset: DatasetArguments
    @OptionGroup(title: "Sending") var sending: PublishArguments
    @OptionGroup(title: "Asking") var requests: RequestOptions
    @OptionGroup var output: OutputOptions

    @Flag(help: "After each tenth, print the daemon's recent metrics; ends when all is learned.")
    var learning = false

    @Option(help: "End after so many events.")
    var limit: Int?

    @Flag(help: "Go on after lines that cannot be read, and count them; otherwise the first one ends it.")
    var skipBadLines = false

    @Flag(inversion: .prefixedNo, help: "Show progress on standard error.")
    var progress = true

    func run() throws {
        try interruptible {
            let start = MonotonicClock.nanoseconds
            // Faults in the files' form come to light before anything is sent.
            let options = try dataset.options
            let readers = try files.map { try DatasetReader(path: $0, options: options) }
            var view = learning ? try LearningView(asking: try requests.client()) : nil
            let (publisher, delivered) = try sending.publisher(requests.keys)
            if delivered > 0 { note("\(Quantity.grouped(delivered)) records were delivered before; going on from there") }
            var skipped = 0
            var taken = 0
            for (number, reader) in readers.enumerated() where limit.map({ taken < $0 }) ?? true {
                var bar = ProgressBar(label: reader.path)
                let before = taken
                while let record = try next(reader, skipped: &skipped) {
                    if taken >= delivered { try publisher.publish(record) }
                    taken += 1
                    if taken == limit { break }
                    let fraction = (Double(number) + (reader.fractionRead ?? 0)) / Double(readers.count)
                    if let due = view?.isDue(fraction: fraction), due, fraction < 1 {
                        try publisher.flush()
                        if progress { bar.giveWay() }
                        try view?.show(events: taken, fraction: fraction)
                    }
                    if progress, taken & 255 == 0 { bar.update(done: taken - before, fraction: reader.fractionRead) }
                }
                try publisher.flush()
                if progress { bar.finish(done: taken - before) }
            }
            try view?.show(events: taken, fraction: 1)
            try report(publisher, start: start, skipped: skipped)
        }
    }

    /// The next record that can be read; nil at the end.
    private func next(_ reader: DatasetReader, skipped: inout Int) throws -> DatasetRecord? {
        while true {
            try Interruption.check()
            do {
                return try reader.next()
            } catch {
                guard skipBadLines, case .malformedLine = error else { throw error }
                skipped += 1
                if skipped <= 10 { note("skipped: \(error)") }
            }
        }
    }

    private func report(_ publisher: Publisher, start: Int64, skipped: Int) throws {
        let isDelivered = try publisher.finish()
        let seconds = Double(MonotonicClock.nanoseconds - start) / 1e9
        let counts = publisher.counts
        if output.json {
            say(JSONTree.object([
                JSONTree.Member(key: "events", value: .integer(Int64(counts.events))),
                JSONTree.Member(key: "messages", value: .integer(Int64(counts.messages))),
                JSONTree.Member(key: "bytes", value: .integer(Int64(counts.bytes))),
                JSONTree.Member(key: "skipped_lines", value: .integer(Int64(skipped))),
                JSONTree.Member(key: "seconds", value: .number(seconds)),
                JSONTree.Member(key: "delivered", value: .bool(isDelivered)),
            ]).json)
        } else {
            say("sent \(Quantity.grouped(counts.events)) events in \(Quantity.grouped(counts.messages)) messages, "
                + "\(Quantity.bytes(counts.bytes)), in \(Quantity.duration(seconds: seconds))"
                + (skipped > 0 ? "; \(Quantity.grouped(skipped)) lines skipped" : ""))
        }
        if !isDelivered {
            note("the daemon did not take the last messages in time; some may be lost")
            throw ExitCode.failure
        }
    }
}
