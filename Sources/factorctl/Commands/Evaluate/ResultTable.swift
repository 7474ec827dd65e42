import StreamTools

/// Results side by side: a table for people, a JSON object a line for machines.
struct ResultTable {
    /// A figure: under which key, and how it is shown.
    struct Figure {
        var key: String
        var title: String
        /// How a number is written; nil for text.
        var form: Form?
    }
    enum Form {
        case decimals(Int)
        case whole
        case percent
    }

    private let figures: [Figure]
    private var rows: [[JSONTree]] = []

    init(_ figures: [Figure]) { self.figures = figures }

    /// Adds a row, a value for each figure; `.null` stands for what does not apply.
    mutating func add(_ values: [JSONTree]) { rows.append(values) }

    func show(json: Bool) {
        if json {
            for row in rows {
                let members = zip(figures, row).filter { $1 != .null }.map { JSONTree.Member(key: $0.key, value: $1) }
                say(JSONTree.object(members).json)
            }
            return
        }
        // A column in which no row has anything to say is left out.
        let shown = figures.indices.filter { column in rows.contains { $0[column] != .null } }
        var table = TextTable(shown.map { figures[$0].title }, shown.map { figures[$0].form == nil ? .left : .right })
        for row in rows { table.add(shown.map { text(row[$0], figures[$0].form) }) }
        say(table.rendered())
    }

    private func text(_ value: JSONTree, _ form: Form?) -> String {
        guard let form, let number = value.number else { return value == .null ? "" : value.display }
        return switch form {
        case .decimals(let count): Quantity.fixed(number, count)
        case .whole: Quantity.grouped(Int(number))
        case .percent: Quantity.fixed(number * 100, 2) + " %"
        }
    }
}

extension JSONTree {
    /// A number, or null for none.
    init(optional number: Double?) { self = number.map(JSONTree.number) ?? .null }
    init(optional number: Int?) { self = number.map { .integer(Int64($0)) } ?? .null }
}
