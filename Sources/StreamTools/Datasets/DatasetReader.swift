/// The events of a file, one after the other.
///
/// Reads csv and tsv with a header (RecBole's `user_id:token` too), MovieLens' `u.data`, `ratings.dat` and
/// `ratings.csv`, libFM, LIBSVM, LIBFFM and Vowpal Wabbit text, JSON lines, and any of them compressed with gzip. Memory does not grow with the file, except in time
/// order. After a malformed line the reader stands at the next one, so that a caller may go on.
///
/// One thread at a time.
public final class DatasetReader {
    public let path: String
    /// What the file turned out to be.
    public let format: DatasetFormat
    let options: DatasetOptions
    let lines: LineReader
    private var splitter: FieldSplitter
    private let layout: ColumnLayout
    /// The first line, when looking at it for the format has taken it and it is data.
    private var pending: [UInt8]?
    /// The records in time order, once the first is asked for; consumed from `sortedNext`.
    private var sorted: [DatasetRecord]?
    private var sortedNext = 0

    /// Opens a file (`-` is standard input) and reads its first line.
    public init(path: String, options: DatasetOptions = DatasetOptions()) throws(StreamToolsError) {
        self.path = path
        self.options = options
        lines = try LineReader(path: path)
        guard var first = try lines.nextLine() else {
            throw .unknownFormat(path: path, reason: "the file is empty")
        }
        if let given = options.format {
            format = given
        } else {
            format = try DatasetFormat.detect(path: path, firstLine: UnsafeRawBufferPointer(first), options: options)
        }
        switch format {
        case .jsonLines, .sparse:
            splitter = FieldSplitter(separator: .tab)
            layout = .positional(fields: 0)
            pending = Array(first)
        case .table(let separator, let header):
            splitter = FieldSplitter(separator: separator)
            if header {
                try DatasetReader.split(&first, with: &splitter, from: lines)
                let names = splitter.fields.map { String(decoding: $0, as: UTF8.self) }
                layout = try ColumnLayout(header: names, options: options, path: path)
            } else {
                pending = Array(first)
                try DatasetReader.split(&first, with: &splitter, from: lines)
                guard splitter.fields.count >= 2 else {
                    throw .malformedLine(path: path, line: 1, reason: "one field; a line has user, item and perhaps value and time")
                }
                layout = .positional(fields: splitter.fields.count)
            }
        }
    }

    /// The number of the line last read, from 1.
    public var lineNumber: Int { lines.lineNumber }

    /// Part of the file that has been read, 0…1, or nil where its size is not known. In time order, part that has been
    /// handed out.
    public var fractionRead: Double? {
        if let sorted { return sorted.isEmpty ? 1 : Double(sortedNext) / Double(sorted.count) }
        return lines.fractionRead
    }

    /// The next record; nil after the last. Throws for a line that is not what the format promises.
    public func next() throws(StreamToolsError) -> DatasetRecord? {
        guard options.order == .time else { return try nextInFile() }
        if sorted == nil { sorted = try loadByTime() }
        guard sortedNext < sorted!.count else { return nil }
        defer { sortedNext += 1 }
        return sorted![sortedNext]
    }

    /// Reads the rest of the file and sorts it by time; records of one time stay in file order.
    private func loadByTime() throws(StreamToolsError) -> [DatasetRecord] {
        var records: [DatasetRecord] = []
        var keys: [(time: Int64, index: Int)] = []
        let jsonLines = JSONEventReader()
        while let record = try nextInFile() {
            let time: Int64? =
                switch record {
                case .event(let event): event.timeMilliseconds
                case .json(let line): jsonLines.time(line)
                }
            guard let time else {
                throw malformed("no time, which --order time needs of every event")
            }
            keys.append((time, records.count))
            records.append(record)
        }
        keys.sort { $0 < $1 }
        return keys.map { records[$0.index] }
    }

    private func nextInFile() throws(StreamToolsError) -> DatasetRecord? {
        while true {
            if var first = pending {
                pending = nil
                // `withUnsafeMutableBytes` cannot hand a typed error through, so its outcome is a value.
                let outcome = first.withUnsafeMutableBytes { bytes in
                    Result { () throws(StreamToolsError) in try record(bytes) }
                }
                if let record = try outcome.get() { return record }
                continue
            }
            guard let line = try lines.nextLine() else { return nil }
            if let record = try record(line) { return record }
        }
    }

    /// The record of one line; nil for an empty line.
    private func record(_ line: UnsafeMutableRawBufferPointer) throws(StreamToolsError) -> DatasetRecord? {
        guard line.contains(where: { $0 != 0x20 && $0 != 0x09 }) else { return nil }
        if case .sparse(let sparse) = format { return try event(line, sparse) }
        guard case .table = format else {
            guard line.first(where: { $0 != 0x20 && $0 != 0x09 }) == UInt8(ascii: "{") else {
                throw malformed("not a JSON object")
            }
            return .json(Array(line))
        }
        var line = line
        let number = lines.lineNumber
        try DatasetReader.split(&line, with: &splitter, from: lines)
        return .event(try event(line: number))
    }

    /// The event of a line of features; nil for one that holds none.
    private func event(_ line: UnsafeMutableRawBufferPointer, _ sparse: SparseFormat) throws(StreamToolsError) -> DatasetRecord? {
        do throws(SparseFault) {
            guard var event = try sparse.event(String(decoding: line, as: UTF8.self), names: options.names) else { return nil }
            event.type = event.type ?? options.type
            return .event(event)
        } catch {
            throw malformed(error.reason)
        }
    }

    /// Cuts a line, taking in the lines after it while a quoted field is open.
    static func split(
        _ line: inout UnsafeMutableRawBufferPointer, with splitter: inout FieldSplitter, from lines: LineReader
    ) throws(StreamToolsError) {
        let number = lines.lineNumber
        func malformed(_ reason: String) -> StreamToolsError {
            .malformedLine(path: lines.path, line: number, reason: reason)
        }
        // Each turn cuts the record anew from its start, so their number is bounded.
        for _ in 0..<1000 {
            do throws(FieldSplitter.Failure) {
                return try splitter.split(line)
            } catch {
                guard error == .openQuote else { throw malformed("text between a closing quotation mark and the next comma") }
            }
            // Only a line with a quotation mark in it can end the field.
            var known = line.count
            repeat {
                known = line.count
                guard let longer = try lines.extendLine() else { throw malformed("a quotation mark is never closed") }
                line = longer
            } while !line[min(known, line.count)...].contains(UInt8(ascii: "\""))
        }
        throw malformed("a record with over 1000 lines that bear quotation marks")
    }

    private func malformed(_ reason: String, line: Int? = nil) -> StreamToolsError {
        .malformedLine(path: path, line: line ?? lines.lineNumber, reason: reason)
    }

    /// The event in the splitter's fields.
    private func event(line: Int) throws(StreamToolsError) -> DatasetEvent {
        let fields = splitter.fields
        guard fields.count >= layout.leastFields else {
            throw malformed("\(fields.count) fields where the \(layout.headerFields == nil ? "first line" : "header") promises \(layout.headerFields ?? layout.leastFields)", line: line)
        }
        guard let user = EventID(fields[layout.user]) else { throw malformed("the user is empty, not UTF-8 or over 1024 bytes", line: line) }
        guard let item = EventID(fields[layout.item]) else { throw malformed("the item is empty, not UTF-8 or over 1024 bytes", line: line) }
        var event = DatasetEvent(user: user, item: item, type: options.type)
        if let index = layout.value { event.value = try number(fields[index], "value", line) }
        if let index = layout.weight {
            event.weight = try number(fields[index], "weight", line)
            if let weight = event.weight, weight < 0 { throw malformed("the weight is negative", line: line) }
        }
        if let index = layout.time, !fields[index].isEmpty {
            guard let time = FieldValue.time(fields[index]) else {
                throw malformed("the time \"\(excerpt(fields[index]))\" is neither unix seconds or milliseconds nor RFC 3339", line: line)
            }
            event.timeMilliseconds = time
        }
        if let index = layout.type, !fields[index].isEmpty {
            guard let type = String(validating: fields[index], as: UTF8.self) else { throw malformed("the type is not UTF-8", line: line) }
            event.type = type
        }
        for column in layout.context where !fields[column.index].isEmpty {
            guard let value = EventID(fields[column.index]) else { throw malformed("\(column.field) is not UTF-8 or over 1024 bytes", line: line) }
            event.context.append(ContextPair(field: column.field, value: value))
        }
        return event
    }

    /// A number that a Float holds; nil for an empty field.
    private func number(_ field: UnsafeRawBufferPointer, _ name: String, _ line: Int) throws(StreamToolsError) -> Float? {
        if field.isEmpty { return nil }
        guard let number = FieldValue.number(field), Float(number).isFinite else {
            throw malformed("the \(name) \"\(excerpt(field))\" is not a finite number", line: line)
        }
        return Float(number)
    }

    private func excerpt(_ field: UnsafeRawBufferPointer) -> String {
        String(decoding: field.prefix(40), as: UTF8.self)
    }
}
