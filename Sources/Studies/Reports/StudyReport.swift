public import StreamTools

/// What a study found.
public struct StudyReport: Sendable {
    public enum Part: Sendable {
        case text(String)
        case table(StudyTable)
        case plot(LinePlot)
    }

    /// A figure that shows a result to be right, and the bound within which it must lie.
    public struct Certificate: Sendable {
        public var what: String
        public var value: Double
        public var bound: Double
        /// Whether the bound is from above.
        public var isAtMost: Bool

        public init(_ what: String, _ value: Double, atMost bound: Double) {
            self.what = what
            self.value = value
            self.bound = bound
            isAtMost = true
        }
        public init(_ what: String, _ value: Double, atLeast bound: Double) {
            self.what = what
            self.value = value
            self.bound = bound
            isAtMost = false
        }

        /// False for a value that is not a number.
        public var holds: Bool { isAtMost ? value <= bound : value >= bound }
    }

    /// As `factorctl study` calls it.
    public let name: String
    public let title: String
    public let question: String
    /// Where the question and the method come from.
    public let origin: String
    public var parts: [Part] = []
    public var certificates: [Certificate] = []
    /// In words, a paragraph each.
    public var answer: [String] = []
    public var seconds = 0.0

    public init(name: String, title: String, question: String, origin: String) {
        self.name = name
        self.title = title
        self.question = question
        self.origin = origin
    }

    public var plots: [LinePlot] { parts.compactMap { if case .plot(let plot) = $0 { plot } else { nil } } }
    public var tables: [StudyTable] { parts.compactMap { if case .table(let table) = $0 { table } else { nil } } }
    public var holds: Bool { certificates.allSatisfy(\.holds) }

    private var certificateTable: StudyTable? {
        guard !certificates.isEmpty else { return nil }
        var table = StudyTable("Certificates", ["what", "value", "must be", ""])
        for certificate in certificates {
            table.add([
                .text(certificate.what), .text(Quantity.scientific(certificate.value, digits: 4)),
                .text("\(certificate.isAtMost ? "≤" : "≥") \(Quantity.scientific(certificate.bound, digits: 4))"), certificate.holds ? "holds" : "DOES NOT HOLD",
            ])
        }
        return table
    }

    /// For a terminal; plots are named where they stand.
    public func rendered(plotFiles: [String] = []) -> String {
        var blocks = ["\(title)\n\(String(repeating: "═", count: title.count))\n\(question)\nFrom: \(origin)\n"]
        var plots = plotFiles.makeIterator()
        for part in parts {
            switch part {
            case .text(let text): blocks.append(text + "\n")
            case .table(let table): blocks.append(table.rendered())
            case .plot(let plot): if let file = plots.next() { blocks.append("Plot: \(plot.title): \(file)\n") }
            }
        }
        if let certificateTable { blocks.append(certificateTable.rendered()) }
        blocks.append("Answer: " + answer.joined(separator: "\n") + "\n")
        blocks.append("\(Quantity.duration(seconds: seconds)).\n")
        return blocks.joined(separator: "\n")
    }

    var html: String {
        let body = parts.map { part in
            switch part {
            case .text(let text): "<p>\(HTMLPage.escaped(text))</p>"
            case .table(let table): table.html
            case .plot(let plot): "<figure>\(plot.svg())</figure>"
            }
        }
        return """
            <section id="\(name)"><h2>\(HTMLPage.escaped(title))</h2>
            <p><b>Question.</b> \(HTMLPage.escaped(question))</p>
            \(answer.enumerated().map { "<p class=\"answer\">\($0.offset == 0 ? "<b>Answer.</b> " : "")\(HTMLPage.escaped($0.element))</p>" }.joined(separator: "\n"))
            \(body.joined(separator: "\n"))
            \(certificateTable?.html ?? "")
            <p class="none">From: \(HTMLPage.escaped(origin)) \(Quantity.duration(seconds: seconds)).</p></section>
            """
    }

    public var json: JSONTree {
        [
            "study": .string(name), "question": .string(question), "origin": .string(origin), "seconds": .number(seconds),
            "holds": .bool(holds), "answer": .array(answer.map { .string($0) }),
            "certificates": .array(
                certificates.map {
                    [
                        "what": .string($0.what), "value": $0.value.isFinite ? .number($0.value) : .null, "bound": .number($0.bound),
                        "at_most": .bool($0.isAtMost), "holds": .bool($0.holds),
                    ]
                }),
            "tables": .array(tables.map(\.json)),
        ]
    }

    /// One page with several studies.
    public static func page(_ reports: [StudyReport], facts: [String]) -> String {
        var summary = StudyTable("What was asked", ["study", "certificates", "seconds"])
        for report in reports {
            let held = report.certificates.count { $0.holds }
            summary.add([.text(report.title), .text("\(held) of \(report.certificates.count) hold"), .fixed(report.seconds, 1)])
        }
        return HTMLPage.page(
            title: "factord studies",
            style: """
                caption { text-align: left; font-weight: 600; padding: 10px 0 4px; } figure { margin: 12px 0; } .answer { max-width: 860px; }
                section { border-top: 2px solid #ccc; margin-top: 28px; } @media print { figure, table { break-inside: avoid; } }
                """,
            body: """
                <p>\(HTMLPage.escaped(facts.joined(separator: " ")))</p>
                \(summary.html)
                \(reports.map(\.html).joined(separator: "\n"))
                """)
    }
}
