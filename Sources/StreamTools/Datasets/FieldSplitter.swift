/// What stands between the fields of a line.
public enum FieldSeparator: String, Sendable, CaseIterable {
    /// `,`, with fields in double quotes where they hold commas, quotes (doubled) or line ends (RFC 4180).
    case comma
    case tab
    /// `::`, as in MovieLens 1M.
    case doubleColon
}

/// Cuts lines into fields without copying. The same instance is used again for each line; one thread at a time.
struct FieldSplitter {
    let separator: FieldSeparator
    /// The fields of the last line, inside the line's own memory.
    private(set) var fields: [UnsafeRawBufferPointer] = []

    init(separator: FieldSeparator) {
        self.separator = separator
    }

    /// Why a line could not be cut.
    enum Failure: Error, Equatable {
        /// A quoted field goes on after the line's end.
        case openQuote
        /// Something stands between a closing quotation mark and the next separator.
        case textAfterQuote
    }

    mutating func split(_ line: UnsafeMutableRawBufferPointer) throws(Failure) {
        fields.removeAll(keepingCapacity: true)
        switch separator {
        case .tab: splitPlainly(UnsafeRawBufferPointer(line), at: UInt8(ascii: "\t"), width: 1)
        case .doubleColon: splitPlainly(UnsafeRawBufferPointer(line), at: UInt8(ascii: ":"), width: 2)
        case .comma: try splitQuoted(line)
        }
    }

    private mutating func splitPlainly(_ line: UnsafeRawBufferPointer, at separator: UInt8, width: Int) {
        var start = 0
        var index = 0
        while index < line.count {
            if line[index] == separator, width == 1 || (index + 1 < line.count && line[index + 1] == separator) {
                fields.append(UnsafeRawBufferPointer(rebasing: line[start..<index]))
                index += width
                start = index
            } else {
                index += 1
            }
        }
        fields.append(UnsafeRawBufferPointer(rebasing: line[start...]))
    }

    private mutating func splitQuoted(_ line: UnsafeMutableRawBufferPointer) throws(Failure) {
        let quote = UInt8(ascii: "\"")
        let comma = UInt8(ascii: ",")
        // Doubled quotes are undone in place, but only once the whole line is known to be complete: a line that has to
        // be extended is split again from its start.
        var hasDoubled = false
        var index = 0
        while true {
            let start = index
            if index < line.count, line[index] == quote {
                index += 1
                while true {
                    guard index < line.count else { throw .openQuote }
                    if line[index] != quote { index += 1; continue }
                    if index + 1 < line.count, line[index + 1] == quote {
                        hasDoubled = true
                        index += 2
                    } else {
                        break
                    }
                }
                fields.append(UnsafeRawBufferPointer(rebasing: line[(start + 1)..<index]))
                index += 1
                guard index == line.count || line[index] == comma else { throw .textAfterQuote }
            } else {
                while index < line.count, line[index] != comma { index += 1 }
                fields.append(UnsafeRawBufferPointer(rebasing: line[start..<index]))
            }
            guard index < line.count else { break }
            index += 1
        }
        if hasDoubled { undoDoubledQuotes(line) }
    }

    private mutating func undoDoubledQuotes(_ line: UnsafeMutableRawBufferPointer) {
        let quote = UInt8(ascii: "\"")
        for index in fields.indices {
            let field = fields[index]
            // Only a quoted field has a quotation mark before it.
            guard let address = field.baseAddress, address > UnsafeRawPointer(line.baseAddress!),
                (address - 1).load(as: UInt8.self) == quote
            else { continue }
            let start = address - UnsafeRawPointer(line.baseAddress!)
            var write = start
            var read = start
            while read < start + field.count {
                line[write] = line[read]
                write += 1
                read += line[read] == quote ? 2 : 1
            }
            fields[index] = UnsafeRawBufferPointer(rebasing: line[start..<write])
        }
    }
}
