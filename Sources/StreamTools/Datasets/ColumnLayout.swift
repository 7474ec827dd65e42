/// Which column of a table holds what.
struct ColumnLayout: Equatable {
    var user: Int
    var item: Int
    var value: Int?
    var time: Int?
    var type: Int?
    var weight: Int?
    var context: [ContextColumn] = []
    /// Columns that a line must have: one more than the highest index above.
    var leastFields: Int
    /// Number of columns in the header; nil without a header.
    var headerFields: Int?

    struct ContextColumn: Equatable {
        var field: String
        var index: Int
    }

    static let userNames = ["user_id", "user", "userid", "uid", "customer_id", "visitorid", "session_id"]
    static let itemNames = ["item_id", "item", "itemid", "movieid", "movie_id", "iid", "product_id", "asin", "track_id"]
    static let valueNames = ["rating", "value", "score", "label"]
    static let timeNames = ["timestamp", "time", "ts", "event_time", "unix_timestamp"]
    static let typeNames = ["type", "event", "event_type", "action", "behavior"]
    static let weightNames = ["weight"]

    /// user, item, value, time: the order of MovieLens' own files. Without a header the last two may be missing.
    static func positional(fields: Int) -> ColumnLayout {
        ColumnLayout(
            user: 0, item: 1, value: fields > 2 ? 2 : nil, time: fields > 3 ? 3 : nil, leastFields: min(fields, 4))
    }

    /// A column's name without RecBole's type: `user_id:token` is `user_id`.
    static func plainName(_ header: String) -> String {
        let name = header.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)[0]
        let trimmed = name.drop { $0 == " " || $0 == "#" }
        return String(trimmed.reversed().drop { $0 == " " }.reversed())
    }

    /// Finds the columns by name.
    init(header: [String], options: DatasetOptions, path: String) throws(StreamToolsError) {
        let names = header.map { ColumnLayout.plainName($0).lowercased() }
        func find(_ wanted: String?, _ usual: [String], _ flag: String) throws(StreamToolsError) -> Int? {
            if let wanted {
                guard let index = names.firstIndex(of: ColumnLayout.plainName(wanted).lowercased()) else {
                    throw .unknownFormat(
                        path: path, reason: "no column \"\(wanted)\" (\(flag)); the header has \(header.joined(separator: ", "))")
                }
                return index
            }
            for name in usual { if let index = names.firstIndex(of: name) { return index } }
            return nil
        }
        func need(_ wanted: String?, _ usual: [String], _ flag: String) throws(StreamToolsError) -> Int {
            guard let index = try find(wanted, usual, flag) else {
                throw .unknownFormat(
                    path: path,
                    reason: "no column of the header (\(header.joined(separator: ", "))) is a usual name for \(flag); name it with \(flag)")
            }
            return index
        }
        user = try need(options.userColumn, ColumnLayout.userNames, "--user-column")
        item = try need(options.itemColumn, ColumnLayout.itemNames, "--item-column")
        value = try find(options.valueColumn, ColumnLayout.valueNames, "--value-column")
        time = try find(options.timeColumn, ColumnLayout.timeNames, "--time-column")
        type = try find(options.typeColumn, ColumnLayout.typeNames, "--type-column")
        weight = try find(options.weightColumn, ColumnLayout.weightNames, "--weight-column")
        leastFields = 0
        headerFields = header.count
        for name in options.contextColumns {
            let index = try need(name, [], "--context-column")
            context.append(ContextColumn(field: ColumnLayout.plainName(header[index]), index: index))
        }
        leastFields = 1 + ([user, item] + [value, time, type, weight].compactMap { $0 } + context.map(\.index)).max()!
    }

    private init(user: Int, item: Int, value: Int?, time: Int?, leastFields: Int) {
        self.user = user
        self.item = item
        self.value = value
        self.time = time
        self.leastFields = leastFields
    }
}
