/// Ids and sightings as they were at P0, whenever they are copied.
extension StateCapture {
    func copyIds(_ side: Int, _ bands: Range<Int>, _ buffer: CaptureBuffer) {
        let table = engine.sides[side].table, count = head.counts[side]
        for block in RowBlock.blocks(bands) {
            let rows = RowBlock.rows(in: block, of: count)
            if rows > 0 { buffer.put(table.rawRows(block: block, limit: rows), rows * EntityTable.rowBytes) }
        }
        // The number of changes until now: later ones are not of this copy.
        buffer.put(UInt64(engine.shared.undo.pointee.count))
        table.noteChanges(from: min(bands.upperBound * RowBlock.band, count), to: count)
    }

    func emitIds<Failure: Error>(
        _ side: Int, _ bands: Range<Int>, _ buffer: CaptureBuffer, _ body: (String, UnsafeRawBufferPointer) throws(Failure) -> Void
    ) throws(Failure) {
        let (name, _) = engine.sides[side], count = head.counts[side]
        let (raw, changes) = changes(buffer)
        // In the copy itself, once for all bands: there may be a million changes, and the stream waits when their log is full.
        let first = bands.lowerBound * RowBlock.band, end = min(bands.upperBound * RowBlock.band, count), number = UInt32(side)
        for change in changes.reversed() where change.side == number && Int(change.ordinal) >= first && Int(change.ordinal) < end {
            let place = offset(change.ordinal, from: bands.lowerBound, count) * EntityTable.rowBytes
            EntityTable.SavedRow(change).write(UnsafeMutableRawPointer(mutating: raw.baseAddress!) + place)
        }
        var rows: [EntityTable.SavedRow] = []
        for band in bands {
            let first = band * RowBlock.band, end = min(first + RowBlock.band, count)
            rows.removeAll(keepingCapacity: true)
            for ordinal in first..<end {
                rows.append(EntityTable.SavedRow(raw.baseAddress! + offset(UInt32(ordinal), from: bands.lowerBound, count) * EntityTable.rowBytes))
            }
            try emit("ids/\(name)/\(band)", StateCapture.encode(rows), body)
        }
    }

    /// Where an ordinal's row lies in a copy of blocks, in rows.
    private func offset(_ ordinal: UInt32, from firstBand: Int, _ count: Int) -> Int {
        let block = RowBlock.of(ordinal), band = block >> Int(Placement.shardBits)
        let shard = RowBlock.shard(block), within = Int(Placement.local(ordinal)) - RowBlock.firstLocal(block)
        let whole = (band - firstBand) * RowBlock.band, rest = min(count - band * RowBlock.band, RowBlock.band)
        // Blocks of earlier shards in the last band are as long as the rest of the ordinals makes them.
        return whole + shard * (rest / Placement.shardCount) + min(shard, rest % Placement.shardCount) + within
    }

    private static func encode(_ rows: [EntityTable.SavedRow]) -> [UInt8] {
        var writer = ByteWriter()
        writer.bytes.reserveCapacity(rows.count * 20)
        for row in rows {
            guard !row.isHole else {
                writer.put(UInt8(0))
                continue
            }
            writer.put(UInt8(row.isText ? 2 : 1))
            writer.put(row.namespace)
            writer.put(UInt8(row.isHidden ? 1 : 0))
            writer.put(UInt16(row.stamp))
            writer.put(row.frequency)
            if row.isText {
                writer.put(UInt16(row.text.count))
                writer.put(row.text)
            } else {
                writer.put(row.payload)
            }
        }
        return writer.bytes
    }

    /// A copy that ends with the number of changes noted before it was made: the copy, and those changes.
    private func changes(_ buffer: CaptureBuffer) -> (raw: UnsafeRawBufferPointer, changes: UnsafeBufferPointer<IdUndo.Entry>) {
        let all = buffer.bytes, end = all.count - 8
        let count = Int(all.loadUnaligned(fromByteOffset: end, as: UInt64.self))
        return (UnsafeRawBufferPointer(rebasing: all[..<end]), UnsafeBufferPointer(start: changes, count: count))
    }

    func copySightings(_ range: Range<Int>, _ buffer: CaptureBuffer) {
        guard let sightings = engine.sequencer.keeper.sightings else { return }
        buffer.put(sightings.contents.baseAddress! + range.lowerBound, range.count)
        buffer.put(UInt64(engine.shared.undo.pointee.count))
        sightings.noteChanges(of: range.upperBound..<sightings.bytes, in: engine.shared.undo)
    }

    func emitSightings<Failure: Error>(
        _ range: Range<Int>, _ buffer: CaptureBuffer, _ body: (String, UnsafeRawBufferPointer) throws(Failure) -> Void
    ) throws(Failure) {
        let (raw, changes) = changes(buffer)
        Sightings.undo(changes, in: UnsafeMutableRawBufferPointer(mutating: raw), from: range.lowerBound)
        try body("sightings/\(range.lowerBound / CaptureBuffer.pieceBytes)", raw)
    }
}

extension RowBlock {
    /// The blocks of some bands.
    static func blocks(_ bands: Range<Int>) -> Range<Int> {
        bands.lowerBound << Int(Placement.shardBits)..<bands.upperBound << Int(Placement.shardBits)
    }
}
