/// Files of one event a line with features by number or name.
///
/// | format | line |
/// |---|---|
/// | libFM, LIBSVM | `label number:x number:x …` |
/// | LIBFFM | `label field:number:x …` |
/// | Vowpal Wabbit | `label [importance] |user u |item i |type t |FIELD value[:x] …` |
///
/// The label is the event's value; written for an event without one as 1. With a file of names (`FeatureNames`) features become what
/// they were. Without it the first feature is the user, the second the item, the others context of the field `feature`, or, in
/// LIBFFM, fields 0, 1 and `field2`, `field3`, …. What stands behind `#` is left out.
public enum SparseFormat: String, Sendable, CaseIterable {
    case libfm, libsvm, libffm, vw

    /// Reads a line; nil for an empty one.
    func event(_ line: String, names: FeatureNames?) throws(SparseFault) -> DatasetEvent? {
        let text = self == .vw ? line[...] : line.prefix { $0 != "#" }
        guard text.contains(where: { $0 != " " && $0 != "\t" }) else { return nil }
        return self == .vw ? try wabbit(text) : try numbered(text, names)
    }

    private func numbered(_ line: Substring, _ names: FeatureNames?) throws(SparseFault) -> DatasetEvent {
        let parts = line.split { $0 == " " || $0 == "\t" }
        guard let label = Float(parts[0]), label.isFinite else { throw SparseFault("the label \"\(parts[0])\" is no finite number") }
        var user: EventID?, item: EventID?, context: [ContextPair] = []
        for (place, part) in parts.dropFirst().enumerated() {
            let fields = part.split(separator: ":", omittingEmptySubsequences: false), wanted = self == .libffm ? 3 : 2
            guard fields.count == wanted, let number = Int(fields[wanted - 2]), let x = Float(fields[wanted - 1]), x.isFinite else {
                throw SparseFault("\"\(part)\" is not \(self == .libffm ? "field:number:x" : "number:x")")
            }
            let feature: FeatureNames.Feature
            if let names {
                guard let known = names.feature(number) else { throw SparseFault("feature \(number) has no name in the file of names") }
                feature = known
            } else {
                guard let field = self == .libffm ? Int(fields[0]) : place else { throw SparseFault("the field \"\(fields[0])\" is no number") }
                let name = field == 0 ? FeatureNames.user : field == 1 ? FeatureNames.item : self == .libffm ? "field\(field)" : "feature"
                feature = FeatureNames.Feature(field: name, value: .integer(Int64(number)))
            }
            switch feature.field {
            case FeatureNames.user: user = feature.value
            case FeatureNames.item: item = feature.value
            default: context.append(ContextPair(field: feature.field, value: feature.value, weight: x))
            }
        }
        guard let user, let item else { throw SparseFault("a line has a user and an item, its first two features or those of these names") }
        return DatasetEvent(user: user, item: item, value: label, context: context)
    }

    private func wabbit(_ line: Substring) throws(SparseFault) -> DatasetEvent {
        let parts = line.split(separator: "|", omittingEmptySubsequences: false)
        // `label importance base 'tag`, of which the label has to be there.
        let head = parts[0].split(separator: " ").filter { !$0.hasPrefix("'") }
        guard let first = head.first, let label = Float(first), label.isFinite else { throw SparseFault("a line begins with a label, a number") }
        var event = DatasetEvent(user: .integer(0), item: .integer(0), value: label), hasUser = false, hasItem = false
        if head.count > 1 {
            guard let weight = Float(head[1]), weight.isFinite, weight >= 0 else { throw SparseFault("the importance \"\(head[1])\" is no number from 0") }
            if weight != 1 { event.weight = weight }
        }
        for part in parts.dropFirst() {
            let words = part.split(separator: " ")
            guard !part.hasPrefix(" "), let namespace = words.first else { throw SparseFault("features stand behind the name of a namespace, such as |user 7") }
            let field = FeatureNames.unescaped(namespace.prefix { $0 != ":" })
            for word in words.dropFirst() {
                let pieces = word.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
                guard let value = EventID(FeatureNames.unescaped(pieces[0])) else { throw SparseFault("\"\(word)\" is no feature") }
                var x: Float = 1
                if pieces.count > 1 {
                    guard let number = Float(pieces[1]), number.isFinite else { throw SparseFault("\"\(word)\" has no number behind its colon") }
                    x = number
                }
                switch field {
                case FeatureNames.user: (event.user, hasUser) = (value, true)
                case FeatureNames.item: (event.item, hasItem) = (value, true)
                case "type": event.type = value.description
                default: event.context.append(ContextPair(field: field, value: value, weight: x))
                }
            }
        }
        guard hasUser, hasItem else { throw SparseFault("a line has namespaces |user and |item") }
        return event
    }

    // MARK: Writing

    /// An event's line.
    /// - Parameter names: of all features of the file; not for Vowpal Wabbit.
    func line(_ event: DatasetEvent, names: FeatureNames) -> String {
        let label = "\(event.value ?? 1)"
        guard self != .vw else {
            let special: Set<Character> = [" ", ":", "|"]
            func word(_ text: String) -> String { FeatureNames.escaped(text, also: special) }
            var line = label + (event.weight.map { " \($0)" } ?? "")
            line += " |user \(word(event.user.description)) |item \(word(event.item.description))"
            if let type = event.type { line += " |type \(word(type))" }
            var fields: [String] = []
            for pair in event.context where !fields.contains(pair.field) { fields.append(pair.field) }
            for field in fields {
                line += " |" + word(field)
                for pair in event.context where pair.field == field {
                    line += " " + word(pair.value.description) + (pair.weight == 1 ? "" : ":\(pair.weight)")
                }
            }
            return line
        }
        var features = [(FeatureNames.user, event.user, Float(1)), (FeatureNames.item, event.item, 1)]
        for pair in event.context { features.append((pair.field, pair.value, pair.weight)) }
        let numbered = features.compactMap { field, value, x in
            names.number(field, value).flatMap { number in names.field(field).map { (field: $0, number: number, x: x) } }
        }.sorted { $0.number < $1.number }
        return numbered.reduce(into: label) { line, feature in
            line += self == .libffm ? " \(feature.field):\(feature.number):\(plain(feature.x))" : " \(feature.number):\(plain(feature.x))"
        }
    }

    private func plain(_ x: Float) -> String { x == x.rounded() && x.magnitude < 1e6 ? "\(Int(x))" : "\(x)" }
}

/// What is wrong with a line.
struct SparseFault: Error {
    let reason: String
    init(_ reason: String) { self.reason = reason }
}
