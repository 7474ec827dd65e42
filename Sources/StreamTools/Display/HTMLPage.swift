/// A page for people that needs nothing beside itself: no script, no network, pictures inline.
public enum HTMLPage {
    /// The style of all pages; `extra` adds to it.
    private static let style = """
        body { font: 14px/1.45 sans-serif; margin: 24px auto; max-width: 1120px; color: #222; }
        h1 { font-size: 22px; } h2 { font-size: 17px; margin: 32px 0 8px; }
        table { border-collapse: collapse; margin: 8px 0; } td, th { padding: 2px 10px 2px 0; text-align: left; vertical-align: top; }
        th { border-bottom: 1px solid #999; font-weight: 600; } td.n, th.n { text-align: right; white-space: nowrap; }
        tr.b td { border-top: 1px solid #e4e4e4; } .good { color: #2c7a3f; } .bad { color: #b35a00; } .none { color: #777; }
        svg { max-width: 100%; height: auto; } p { max-width: 860px; } td:first-child { min-width: 9em; }
        """

    /// - Parameter body: markup below the title.
    public static func page(title: String, style extra: String = "", body: String) -> String {
        """
        <!doctype html>
        <html lang="en"><head><meta charset="utf-8"><title>\(escaped(title))</title><style>
        \(style)\(extra.isEmpty ? "" : "\n" + extra)
        </style></head><body>
        <h1>\(escaped(title))</h1>
        \(body)
        </body></html>

        """
    }

    /// Text as it stands inside markup.
    public static func escaped(_ text: String) -> String {
        var result = ""
        for character in text {
            switch character {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            default: result.append(character)
            }
        }
        return result
    }
}
