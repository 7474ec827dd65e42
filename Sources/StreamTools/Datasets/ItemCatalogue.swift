/// Titles and attributes of items, for people to read and for attribute records.
public struct ItemCatalogue: Sendable {
    /// What is known of one item.
    public struct Entry: Sendable, Equatable {
        /// Nil when the file has no title for it.
        public var title: String?
        /// Field and values, in the order of the file's columns; empty fields are left out.
        public var attributes: [Attribute]

        public init(title: String?, attributes: [Attribute]) {
            self.title = title
            self.attributes = attributes
        }
    }
    /// An attribute and its values.
    public struct Attribute: Sendable, Equatable {
        public var field: String
        public var values: [EventID]

        public init(field: String, values: [EventID]) {
            self.field = field
            self.values = values
        }
    }

    /// In file order.
    public private(set) var ids: [EventID] = []
    public private(set) var entries: [EventID: Entry] = [:]

    public init() {}

    /// Adds or replaces an item.
    public mutating func set(_ id: EventID, _ entry: Entry) {
        if entries.updateValue(entry, forKey: id) == nil { ids.append(id) }
    }

    public func title(of id: EventID) -> String? { entries[id]?.title }

    static let titleNames = ["title", "movie_title", "name", "item_name", "product_name"]

    /// Reads a csv, tsv or `::` file whose first column, or a column with a usual name, is the item's id.
    ///
    /// A column named like a title is the title, all others are attributes; `token_seq` columns (RecBole) hold several
    /// values between spaces, and any column may hold several between `|`. Without a header (`movies.dat`) the columns
    /// are id, title, attributes. Text that is not UTF-8 is taken for Latin-1, as in MovieLens' older files.
    public static func read(path: String) throws(StreamToolsError) -> ItemCatalogue {
        let lines = try LineReader(path: path)
        guard let first = try lines.nextLine() else { throw .unknownFormat(path: path, reason: "the file is empty") }
        let options = DatasetOptions(itemColumn: "?")
        // A header is taken for granted here; only `::` files (movies.dat) come without.
        let format = try DatasetFormat.detect(path: path, firstLine: UnsafeRawBufferPointer(first), options: options)
        guard case .table(let separator, _) = format else {
            throw .unknownFormat(path: path, reason: "an item file is csv, tsv or `::`, not JSON")
        }
        var splitter = FieldSplitter(separator: separator)
        var columns: [Column]?
        var catalogue = ItemCatalogue()
        var line: UnsafeMutableRawBufferPointer? = first
        while let current = line {
            var current = current
            try DatasetReader.split(&current, with: &splitter, from: lines)
            if columns == nil {
                if separator == .doubleColon {
                    columns = [.id, .title, .attribute("genre", spaced: false)]
                } else {
                    columns = header(splitter.fields.map(text))
                    line = try lines.nextLine()
                    continue
                }
            }
            if !current.isEmpty {
                guard catalogue.add(splitter.fields, columns: columns!) else {
                    throw .malformedLine(path: path, line: lines.lineNumber, reason: "no item id")
                }
            }
            line = try lines.nextLine()
        }
        return catalogue
    }

    private enum Column {
        case id, title
        case attribute(String, spaced: Bool)
    }

    private static func header(_ names: [String]) -> [Column] {
        let plain = names.map { ColumnLayout.plainName($0).lowercased() }
        let id = plain.firstIndex { ColumnLayout.itemNames.contains($0) || $0 == "id" } ?? 0
        let title = plain.firstIndex { titleNames.contains($0) }
        return names.indices.map { index in
            if index == id { return .id }
            if index == title { return .title }
            return .attribute(ColumnLayout.plainName(names[index]), spaced: names[index].hasSuffix(":token_seq"))
        }
    }

    /// False when the line has no usable id.
    private mutating func add(_ fields: [UnsafeRawBufferPointer], columns: [Column]) -> Bool {
        var id: EventID?
        var entry = Entry(title: nil, attributes: [])
        for (field, column) in zip(fields, columns) where !field.isEmpty {
            switch column {
            case .id: id = EventID(field)
            case .title: entry.title = ItemCatalogue.text(field)
            case .attribute(let name, let spaced):
                let values = ItemCatalogue.text(field).split { $0 == "|" || spaced && $0 == " " }.compactMap { EventID(String($0)) }
                if !values.isEmpty { entry.attributes.append(Attribute(field: name, values: values)) }
            }
        }
        guard let id else { return false }
        set(id, entry)
        return true
    }

    private static func text(_ field: UnsafeRawBufferPointer) -> String {
        String(validating: field, as: UTF8.self) ?? String(String.UnicodeScalarView(field.map { Unicode.Scalar($0) }))
    }
}
