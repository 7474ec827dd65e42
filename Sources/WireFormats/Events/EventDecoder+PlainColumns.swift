import Factorization

/// The short way for columns of numbers: records are filled in column by column, so that one loop does one thing.
///
/// Each row taken gives the record that the full way would, which a test holds over made-up columns. A row that is not in
/// order, or that has a `<u8` id past Int64, is left to it.
extension EventDecoder {
    /// Rows of one go: few at first, for where every other row is one for the full way, each go begins more records than it keeps;
    /// and so many at most that their records stay in the nearest cache while column after column comes.
    private static let fewestRows = 8, mostRows = 256

    /// Takes rows from `start` on, as long as each is in order and the batch has room; all columns are plain.
    /// - Returns: The first row not taken.
    func takePlainRows(
        from start: Int, _ columns: UnsafeBufferPointer<Column>, _ type: TextRange, into batch: EventBatch
    ) -> Int {
        let template = EventRecord(kind: .interaction, user: noKey, item: noKey, type: type)
        var row = start, together = EventDecoder.fewestRows
        while row < columnar.rowCount {
            let records = batch.append(min(together, columnar.rowCount &- row), of: template)
            var good = records.count
            for column in columns {
                good = fill(UnsafeMutableBufferPointer(rebasing: records[..<good]), column, from: row)
            }
            batch.takeBack(records.count &- good)
            row &+= good
            guard good == together else { break }
            together = min(2 &* together, EventDecoder.mostRows)
        }
        return row
    }

    /// Fills a column's rows into records; answers how many there are before the first that is not in order.
    private func fill(_ records: UnsafeMutableBufferPointer<EventRecord>, _ column: Column, from row: Int) -> Int {
        let hashing = hashing
        switch column.role {
        case .user:
            return fill(records, from: row, column.integer) { $0.user = Key(integer: $1, hashing: hashing) }
        case .item:
            return fill(records, from: row, column.integer) { $0.item = Key(integer: $1, hashing: hashing) }
        case .value:
            return fill(records, from: row, column.value) {
                $0.value = $1
                $0.hasValue = true
            }
        case .weight: return fill(records, from: row, column.weight) { $0.weight = $1 }
        case .time: return fill(records, from: row, column.time) { $0.timeMilliseconds = $1 }
        case .type, .context: preconditionFailure("a column that is not plain")
        }
    }

    @inline(__always)
    private func fill<Value>(
        _ records: UnsafeMutableBufferPointer<EventRecord>, from row: Int, _ read: (Int) -> Value?,
        _ set: (inout EventRecord, Value) -> Void
    ) -> Int {
        for index in 0..<records.count {
            guard let value = read(row &+ index) else { return index }
            set(&records[index], value)
        }
        return records.count
    }
}
