import StreamTools

/// Figures side by side, for people and for machines.
public struct StudyTable: Sendable {
    public enum Cell: Sendable, Equatable, ExpressibleByStringLiteral, ExpressibleByFloatLiteral, ExpressibleByIntegerLiteral {
        case text(String)
        case whole(Int)
        /// Shown with three significant digits.
        case number(Double)
        /// Shown with so many decimals.
        case fixed(Double, Int)

        public init(stringLiteral value: String) { self = .text(value) }
        public init(floatLiteral value: Double) { self = .number(value) }
        public init(integerLiteral value: Int) { self = .whole(value) }

        public var text: String {
            switch self {
            case .text(let text): text
            case .whole(let number): Quantity.grouped(number)
            case .number(let number): Quantity.scientific(number)
            case .fixed(let number, let decimals): Quantity.fixed(number, decimals)
            }
        }

        var json: JSONTree {
            switch self {
            case .text(let text): .string(text)
            case .whole(let number): .integer(Int64(number))
            case .number(let number), .fixed(let number, _): number.isFinite ? .number(number) : .null
            }
        }
    }

    public let title: String
    public let header: [String]
    public private(set) var rows: [[Cell]] = []

    public init(_ title: String, _ header: [String]) {
        self.title = title
        self.header = header
    }

    /// - Precondition: a cell for each column.
    public mutating func add(_ cells: [Cell]) {
        precondition(cells.count == header.count, "a row of \(title) has a cell for each column")
        rows.append(cells)
    }

    private func isNumeric(_ column: Int) -> Bool {
        rows.allSatisfy { if case .text(let text) = $0[column] { text.isEmpty || text == "–" } else { true } }
    }

    public func rendered() -> String {
        var table = TextTable(header, header.indices.map { isNumeric($0) ? .right : .left })
        for row in rows { table.add(row.map(\.text)) }
        return "\(title)\n\(table.rendered())"
    }

    var html: String {
        func cell(_ column: Int, _ text: String, _ tag: String) -> String {
            "<\(tag)\(isNumeric(column) ? " class=\"n\"" : "")>\(HTMLPage.escaped(text))</\(tag)>"
        }
        let head = header.enumerated().map { cell($0.offset, $0.element, "th") }.joined()
        let lines = rows.map { row in "<tr class=\"b\">\(row.enumerated().map { cell($0.offset, $0.element.text, "td") }.joined())</tr>" }
        return "<table><caption>\(HTMLPage.escaped(title))</caption><tr>\(head)</tr>\n\(lines.joined(separator: "\n"))\n</table>"
    }

    var json: JSONTree {
        ["title": .string(title), "columns": .array(header.map { .string($0) }), "rows": .array(rows.map { .array($0.map(\.json)) })]
    }
}
