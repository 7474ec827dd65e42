/// A table with aligned columns, for a terminal or a log.
public struct TextTable: Sendable {
    public enum Alignment: Sendable {
        case left, right
    }

    private let header: [String]
    private let alignments: [Alignment]
    private var rows: [[String]] = []

    /// Columns beyond those of `alignments` are aligned left.
    public init(_ header: [String], _ alignments: [Alignment] = []) {
        self.header = header
        self.alignments = header.indices.map { $0 < alignments.count ? alignments[$0] : .left }
    }

    public var isEmpty: Bool { rows.isEmpty }

    /// Adds a row; missing cells are empty, cells beyond the header are dropped.
    public mutating func add(_ cells: [String]) {
        rows.append(header.indices.map { $0 < cells.count ? cells[$0] : "" })
    }

    /// The lines: header, a rule, the rows; two blanks between columns and none at the end of a line.
    public func rendered(indent: Int = 0) -> String {
        let widths = header.indices.map { column in ([header] + rows).map { TextTable.width($0[column]) }.max() ?? 0 }
        let rule = widths.map { String(repeating: "─", count: $0) }
        let margin = String(repeating: " ", count: indent)
        return ([header, rule] + rows).map { cells in
            var line = margin
            for (column, cell) in cells.enumerated() {
                let padding = String(repeating: " ", count: widths[column] - TextTable.width(cell))
                line += alignments[column] == .right ? padding + cell : cell + padding
                if column < cells.count - 1 { line += "  " }
            }
            while line.last == " " { line.removeLast() }
            return line + "\n"
        }.joined()
    }

    /// Columns that a text takes on a terminal: wide East Asian characters and emoji take two.
    static func width(_ text: String) -> Int {
        text.reduce(0) { sum, character in
            let scalar = character.unicodeScalars.first!
            let wide = switch scalar.value {
            case 0x1100...0x115F, 0x2E80...0xA4CF, 0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE30...0xFE6F, 0xFF00...0xFF60,
                0xFFE0...0xFFE6, 0x1F300...0x1FAFF, 0x20000...0x3FFFD: true
            default: false
            }
            return sum + (wide ? 2 : 1)
        }
    }
}
