import Factorization

/// From a body to records: recognising the form, walking its records, setting bad ones aside.
extension EventDecoder {
    func takeBody(_ body: UnsafeRawBufferPointer, columns: UnsafeBufferPointer<UnsafeRawBufferPointer>) {
        do throws(JSONError) {
            try parser.load(body)
        } catch {
            return refuseMessage(.tooLarge, error.description, bytes: body.count)
        }
        let text = parser.loaded
        let range = RecordScanner.trim(text, 0..<text.count)
        guard !range.isEmpty else { return refuseMessage(.emptyMessage, "the body is empty", bytes: body.count) }
        guard EventDecoder.beginsLikeBody(text) else {
            return refuseMessage(.malformedJSON, "the body begins with neither { nor [", bytes: body.count)
        }
        if text[range.lowerBound] == 0x7B, isLines(text, range) {
            guard columns.isEmpty else { return refuseFrames(columns.count, bytes: body.count) }
            return takePieces(RecordScanner(text, form: .lines))
        }
        do throws(JSONError) {
            take(root: try parser.parseLoaded(0..<text.count), columns: columns)
        } catch {
            // An array that is whole but holds something that is not JSON: the other elements are saved.
            if text[range.lowerBound] == 0x5B, columns.isEmpty, case .malformed = error, isWholeArray(text) {
                return takePieces(RecordScanner(text, form: .array))
            }
            refuseMessage(EventDecoder.reason(of: error), error.description, bytes: body.count)
        }
    }

    private func take(root: JSONValue, columns: UnsafeBufferPointer<UnsafeRawBufferPointer>) {
        do throws(DecodeFailure) {
            if let elements = root.elements {
                guard columns.isEmpty else { return refuseFrames(columns.count, bytes: parser.loadedCount) }
                var peek = elements
                if let first = peek.next(), first.isObject { numbering = try MessageNumbering(of: first) }
                progress = .array(next: elements.cursor, end: elements.end)
            } else if let header = root["columns"], !header.isNull {
                numbering = try MessageNumbering(of: root)
                takeColumns(root, frames: columns)
            } else {
                guard columns.isEmpty else { return refuseFrames(columns.count, bytes: parser.loadedCount) }
                numbering = try numbering(ofSingle: root)
                progress = .single(root)
            }
        } catch {
            refuse(error)
        }
    }

    /// The numbering of a message of one record; a beat brings its own.
    private func numbering(ofSingle root: JSONValue) throws(DecodeFailure) -> MessageNumbering {
        guard let beat = root["beat"], !beat.isNull else { return try MessageNumbering(of: root) }
        guard beat.isObject else { throw .rejected(.badBeat, "beat: not an object") }
        let numbering = try MessageNumbering(of: beat, sequenceKey: "last_seq")
        guard numbering.isNumbered else { throw .rejected(.badBeat, "beat: needs source and last_seq") }
        return numbering
    }

    private func takePieces(_ scanner: RecordScanner) {
        var peek = scanner
        guard let first = peek.next() else { return }
        progress = .pieces(scanner, again: nil)
        do throws(DecodeFailure) {
            if let value = try? parser.parseLoaded(first), value.isObject { numbering = try MessageNumbering(of: value) }
        } catch {
            refuse(error)
        }
    }

    private func refuse(_ failure: DecodeFailure) {
        if case .rejected(let reason, let detail) = failure {
            refuseMessage(reason, "\(detail)", bytes: parser.loadedCount)
        }
    }

    private func refuseFrames(_ count: Int, bytes: Int) {
        refuseMessage(.badFrames, "\(count) frames follow a body without columns", bytes: bytes)
    }

    /// Whether a body that begins with `{` is one record per line rather than one record: there is a second line, and the
    /// first one is a document, or ends as one would while the second begins as one.
    private func isLines(_ text: UnsafeRawBufferPointer, _ range: Range<Int>) -> Bool {
        var end = range.lowerBound
        while end < range.upperBound, text[end] != 0x0A { end &+= 1 }
        guard end < range.upperBound else { return false }
        let firstLine = RecordScanner.trim(text, range.lowerBound..<end)
        if (try? parser.parseLoaded(firstLine)) != nil { return true }
        let second = RecordScanner.skipSpace(text, from: end)
        return second < range.upperBound && text[second] == 0x7B
    }

    private func isWholeArray(_ text: UnsafeRawBufferPointer) -> Bool {
        var scanner = RecordScanner(text, form: .array)
        while scanner.next() != nil {}
        return scanner.isWhole
    }

    static func reason(of error: JSONError) -> RejectionReason {
        switch error {
        case .malformed: .malformedJSON
        case .tooLarge: .tooLarge
        case .tooDeep: .tooDeep
        }
    }

    // MARK: Records

    /// Appends what records it can; true when the message has no more.
    func decodeRecords(into batch: EventBatch) -> Bool {
        switch progress {
        case .done, .entryOnly:
            return true
        case .single(let root):
            return decode(root, into: batch, isAlone: true) { 0..<self.parser.loadedCount }
        case .array(let next, let end):
            return decodeArray(from: next, end: end, into: batch)
        case .pieces(let scanner, let again):
            return decodePieces(scanner, again: again, into: batch)
        case .columns(let row):
            return decodeRows(from: row, into: batch)
        }
    }

    private func decodeArray(from start: JSONValue, end: Int, into batch: EventBatch) -> Bool {
        var cursor = start
        while cursor.index < end {
            guard decode(cursor, into: batch, isAlone: false, range: { self.elementRange() }) else {
                progress = .array(next: cursor, end: end)
                return false
            }
            cursor = JSONValue(tape: cursor.tape, strings: cursor.strings, index: cursor.next)
        }
        return true
    }

    private func decodePieces(_ start: RecordScanner, again: Range<Int>?, into batch: EventBatch) -> Bool {
        var scanner = start
        var range = again ?? scanner.next()
        while let piece = range {
            do throws(JSONError) {
                let value = try parser.parseLoaded(piece)
                guard decode(value, into: batch, isAlone: false, range: { piece }) else {
                    progress = .pieces(scanner, again: piece)
                    return false
                }
            } catch {
                reject(EventDecoder.reason(of: error), error.description, range: piece)
                record += 1
            }
            range = scanner.next()
        }
        return true
    }

    /// Decodes one record; false when the batch has no room for it (then nothing of it stays).
    @inline(__always)
    private func decode(_ value: JSONValue, into batch: EventBatch, isAlone: Bool, range: () -> Range<Int>) -> Bool {
        let mark = batch.mark
        do throws(DecodeFailure) {
            try decodeRecord(value, into: batch, isAlone: isAlone)
        } catch {
            let isFresh = batch.recordCount == 0 && batch.messageCount == 0
            batch.restore(mark)
            switch error {
            case .full where !isFresh: return false
            case .full: reject(.tooLarge, "the record does not fit an empty batch", range: range())
            case .rejected(let reason, let detail): reject(reason, "\(detail)", range: range())
            }
        }
        record &+= 1
        return true
    }

    /// The bytes of the array element in hand.
    private func elementRange() -> Range<Int> {
        var scanner = elementScanner ?? RecordScanner(parser.loaded, form: .array)
        defer { elementScanner = scanner }
        while let range = scanner.next() {
            if scanner.found == record + 1 { return range }
        }
        return 0..<parser.loadedCount
    }
}
