extension DatasetFormat {
    /// Tells the format from a file's name and first line.
    ///
    /// The name decides the separator where it is one of the known ones (`.csv`, `.tsv`, `.inter`, `.data`, `.dat`,
    /// `.jsonl`, each also with `.gz`); the line decides otherwise, and whether there is a header.
    static func detect(path: String, firstLine: UnsafeRawBufferPointer, options: DatasetOptions) throws(StreamToolsError) -> DatasetFormat {
        if let sparse = sparseByName(path) { return .sparse(sparse) }
        let first = firstLine.first { $0 != 0x20 && $0 != 0x09 }
        if first == UInt8(ascii: "{") { return .jsonLines }
        if first == UInt8(ascii: "[") {
            throw .unknownFormat(path: path, reason: "a JSON array; write one object a line (jq -c '.[]' does it)")
        }
        let separator = separatorByName(path) ?? separatorByContent(firstLine)
        guard let separator else {
            throw .unknownFormat(
                path: path,
                reason: "the first line has no comma, tab, \"::\" or JSON object; give the format with --input-format")
        }
        return .table(separator, header: try hasHeader(path: path, firstLine: firstLine, separator: separator, options: options))
    }

    private static func plainName(_ path: String) -> Substring {
        let name = Substring(path.lowercased())
        return name.hasSuffix(".gz") ? name.dropLast(3) : name
    }

    /// What only a name can tell: lines of numbers and colons look alike.
    private static func sparseByName(_ path: String) -> SparseFormat? {
        let name = plainName(path)
        let suffixes: [(String, SparseFormat)] = [
            (".libfm", .libfm), (".libsvm", .libsvm), (".svm", .libsvm), (".libffm", .libffm), (".ffm", .libffm), (".vw", .vw),
        ]
        return suffixes.first { name.hasSuffix($0.0) }?.1
    }

    private static func separatorByName(_ path: String) -> FieldSeparator? {
        let name = plainName(path)
        for (suffix, separator) in [
            (".csv", FieldSeparator.comma), (".tsv", .tab), (".inter", .tab), (".data", .tab), (".dat", .doubleColon),
        ] where name.hasSuffix(suffix) { return separator }
        return nil
    }

    private static func separatorByContent(_ line: UnsafeRawBufferPointer) -> FieldSeparator? {
        if line.contains(UInt8(ascii: "\t")) { return .tab }
        if line.contains(UInt8(ascii: ",")) { return .comma }
        for index in line.indices.dropLast() where line[index] == UInt8(ascii: ":") && line[index + 1] == UInt8(ascii: ":") {
            return .doubleColon
        }
        return nil
    }

    /// A first line is a header when a column was asked for by name or it holds a usual name; it is data when its third
    /// field is a number, or when its first two are integers.
    private static func hasHeader(
        path: String, firstLine: UnsafeRawBufferPointer, separator: FieldSeparator, options: DatasetOptions
    ) throws(StreamToolsError) -> Bool {
        let named = [
            options.userColumn, options.itemColumn, options.valueColumn, options.timeColumn, options.typeColumn,
            options.weightColumn,
        ].contains { $0 != nil }
        if named || !options.contextColumns.isEmpty { return true }
        // The splitter may write into its line; the header is still needed.
        var copy = [UInt8](firstLine)
        var header: [String] = []
        var looksLikeData = false
        var splitter = FieldSplitter(separator: separator)
        let isWhole = copy.withUnsafeMutableBytes { line in
            guard (try? splitter.split(line)) != nil else { return false }
            header = splitter.fields.map { String(decoding: $0, as: UTF8.self) }
            let numbers = splitter.fields.map { FieldValue.number($0) != nil }
            looksLikeData = numbers.count >= 3 ? numbers[2] : numbers.count == 2 && numbers[0] && numbers[1]
            return true
        }
        guard isWhole else { return true }
        let names = header.map { ColumnLayout.plainName($0).lowercased() }
        if names.contains(where: { ColumnLayout.userNames.contains($0) || ColumnLayout.itemNames.contains($0) }) { return true }
        if looksLikeData { return false }
        throw .unknownFormat(
            path: path,
            reason: "the first line (\(header.joined(separator: ", "))) is neither a header with usual names nor user, item, "
                + "number; name the columns with --user-column and --item-column")
    }
}
