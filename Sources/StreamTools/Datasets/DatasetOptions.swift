/// In which order a file's events are wanted.
public enum DatasetOrder: String, Sendable, CaseIterable {
    /// As they stand; memory does not grow with the file.
    case file
    /// By time, ties as they stand; loads the whole file.
    case time
}

/// How a file is written. What is not said here is told by its name and its first line.
public enum DatasetFormat: Sendable, Equatable {
    /// Fields between separators; with a header line that names the columns, or with the columns user, item, value,
    /// time in this order.
    case table(FieldSeparator, header: Bool)
    /// One JSON object a line.
    case jsonLines
    /// Features by number or name.
    case sparse(SparseFormat)
}

/// How to read a data set.
public struct DatasetOptions: Sendable {
    public var format: DatasetFormat?
    public var order: DatasetOrder
    /// Column names, as the header gives them (without RecBole's `:type`), where they are not among the usual ones.
    public var userColumn: String?
    public var itemColumn: String?
    public var valueColumn: String?
    public var timeColumn: String?
    public var typeColumn: String?
    public var weightColumn: String?
    /// Columns to hand on as context, under their own names.
    public var contextColumns: [String]
    /// The event type of events whose file names none.
    public var type: String?
    /// Sparse formats: what the numbers of features stand for.
    public var names: FeatureNames?

    public init(
        format: DatasetFormat? = nil, order: DatasetOrder = .file, userColumn: String? = nil, itemColumn: String? = nil,
        valueColumn: String? = nil, timeColumn: String? = nil, typeColumn: String? = nil, weightColumn: String? = nil,
        contextColumns: [String] = [], type: String? = nil
    ) {
        self.format = format
        self.order = order
        self.userColumn = userColumn
        self.itemColumn = itemColumn
        self.valueColumn = valueColumn
        self.timeColumn = timeColumn
        self.typeColumn = typeColumn
        self.weightColumn = weightColumn
        self.contextColumns = contextColumns
        self.type = type
    }
}
