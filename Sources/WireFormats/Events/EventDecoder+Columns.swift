import Factorization

/// Rows of a columnar batch to records: no JSON, no call per value.
extension EventDecoder {
    /// Appends rows; true when there are no more.
    func decodeRows(from start: Int, into batch: EventBatch) -> Bool {
        guard columnar.rowCount > start else { return true }
        guard let type = nameTexts(in: batch) else {
            if batch.recordCount > 0 || batch.messageCount > 0 {
                progress = .columns(nextRow: start)
                return false
            }
            reject(.tooLarge, "the columns' names do not fit an empty batch", range: 0..<parser.loadedCount)
            return true
        }
        let rowCount = columnar.rowCount
        var row = start
        // The header's texts stay in the batch when a row is taken back: the mark comes after them.
        let isWhole = columnar.columns.withUnsafeBufferPointer { columns in
            let isPlain = columns.allSatisfy(\.isPlain)
            while row < rowCount {
                if isPlain { row = takePlainRows(from: row, columns, type, into: batch) }
                guard row < rowCount else { break }
                // Of plain rows the one that is not in order, or for which there is no room.
                record = row
                guard decode(row, columns, type, into: batch) else { return false }
                row &+= 1
            }
            return true
        }
        if !isWhole { progress = .columns(nextRow: row) }
        return isWhole
    }

    /// Copies the names of the context fields, and the header's type, which is answered; nil when there is no room.
    private func nameTexts(in batch: EventBatch) -> TextRange? {
        for index in columnar.columns.indices where columnar.columns[index].role == .context {
            guard let field = batch.copyText(columnar.columns[index].fieldName) else { return nil }
            columnar.columns[index].field = field
        }
        guard let type = columnar.type else { return TextRange.none }
        return batch.copyText(type)
    }

    /// One row; false when the batch has no room for it.
    @inline(__always)
    private func decode(
        _ row: Int, _ columns: UnsafeBufferPointer<Column>, _ type: TextRange, into batch: EventBatch
    ) -> Bool {
        guard batch.recordCount < batch.recordCapacity else { return false }
        let mark = batch.mark
        do throws(DecodeFailure) {
            try append(row, columns, type, to: batch)
            return true
        } catch {
            let isFresh = batch.recordCount == 0 && batch.messageCount == 0
            batch.restore(mark)
            switch error {
            case .full where !isFresh: return false
            case .full: reject(.tooLarge, "row \(row): does not fit an empty batch", range: 0..<parser.loadedCount)
            case .rejected(let reason, let detail):
                reject(reason, "row \(row): \(detail)", range: 0..<parser.loadedCount)
            }
            return true
        }
    }

    @inline(__always)
    private func append(
        _ row: Int, _ columns: UnsafeBufferPointer<Column>, _ type: TextRange, to batch: EventBatch
    ) throws(DecodeFailure) {
        var record = EventRecord(kind: .interaction, user: noKey, item: noKey, type: type)
        let firstFeature = batch.featureCount
        for index in 0..<columns.count {
            let column = columns.baseAddress.unsafelyUnwrapped + index
            switch column.pointee.role {
            case .user:
                record.user = try key(
                    column, row, batch, .badUser, "user: not a string of 1 to 1024 bytes or an integer")
            case .item:
                record.item = try key(
                    column, row, batch, .badItem, "item: not a string of 1 to 1024 bytes or an integer")
            case .value:
                guard let value = column.pointee.value(row) else {
                    throw .rejected(.badValue, "value: not a number of magnitude up to 1e9")
                }
                record.value = value
                record.hasValue = true
            case .weight:
                guard let weight = column.pointee.weight(row) else {
                    throw .rejected(.badWeight, "weight: not a number from 0 to 1e6")
                }
                record.weight = weight
            case .time:
                guard let time = column.pointee.time(row) else {
                    throw .rejected(.badTime, "time: not unix seconds or milliseconds up to the year 9999")
                }
                record.timeMilliseconds = time
            case .type:
                let text = column.pointee.string(row)
                guard text.count <= EventLimits.longestName else {
                    throw .rejected(.badType, "type: longer than 128 bytes")
                }
                if text.isEmpty { continue }
                guard let range = batch.copyText(text) else { throw .full }
                record.type = range
            case .context:
                try appendFeature(column, row, since: firstFeature, batch)
            }
        }
        let featureCount = batch.featureCount &- firstFeature
        if featureCount > 0 {
            record.firstFeature = UInt32(truncatingIfNeeded: firstFeature)
            record.featureCount = UInt16(truncatingIfNeeded: featureCount)
        }
        guard batch.append(record) else { throw .full }
    }

    @inline(__always)
    private func key(
        _ column: UnsafePointer<Column>, _ row: Int, _ batch: EventBatch, _ reason: RejectionReason, _ detail: StaticString
    ) throws(DecodeFailure) -> Key {
        if column.pointee.type == .utf8 { return try key(text: column.pointee.string(row), batch, reason, detail) }
        if let integer = column.pointee.integer(row) { return Key(integer: integer, hashing: hashing) }
        let large = column.pointee.data.loadUnaligned(fromByteOffset: row &* 8, as: UInt64.self)
        return try key(large: large, batch, reason, detail)
    }

    private func appendFeature(
        _ column: UnsafePointer<Column>, _ row: Int, since first: Int, _ batch: EventBatch
    ) throws(DecodeFailure) {
        let detail: StaticString = "context: a text of 1 to 1024 bytes, an integer, or a float of magnitude up to 1e9"
        if column.pointee.type.isFloat {
            let number = column.pointee.number(row)
            if number.isNaN { return }
            try append(column.pointee.field, noKey, try featureWeight(number, .badContext), since: first, batch)
        } else {
            if column.pointee.type == .utf8, column.pointee.string(row).isEmpty { return }
            try append(column.pointee.field, try key(column, row, batch, .badContext, detail), 1, since: first, batch)
        }
    }
}
