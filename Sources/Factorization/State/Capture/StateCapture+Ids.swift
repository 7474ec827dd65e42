/// Ids and sightings as they were at P0, whenever they are copied.
extension StateCapture {
    func copyIds(_ side: Int, _ bands: Range<Int>, _ buffer: CaptureBuffer) {
        let table = engine.sides[side].table, count = head.counts[side]
        for block in RowBlock.blocks(bands) {
            let rows = RowBlock.rows(in: block, of: count)
            if rows > 0 { buffer.put(table.rawRows(block: block, limit: rows), rows * EntityTable.rowBytes) }
        }
        buffer.changes = engine.shared.undo.pointee.chain(side, piece: bands.lowerBound / StateCapture.bandsPerPiece)
    }

    func noteIds(_ side: Int, after bands: Range<Int>) {
        let count = head.counts[side]
        engine.sides[side].table.noteChanges(from: min(bands.upperBound * RowBlock.band, count), to: count)
    }

    func emitIds<Failure: Error>(
        _ side: Int, _ bands: Range<Int>, _ buffer: CaptureBuffer, _ body: (String, UnsafeRawBufferPointer) throws(Failure) -> Void
    ) throws(Failure) {
        let (name, _) = engine.sides[side], count = head.counts[side], raw = buffer.start
        spent = buffer.changes.forEach {
            let place = offset($0.number, from: bands.lowerBound, count) * EntityTable.rowBytes
            EntityTable.SavedRow.undo($0, raw + place)
        }
        for band in bands {
            encode(band, from: bands.lowerBound, count, raw)
            try body("ids/\(name)/\(band)", scratch.bytes)
            if Engine.describedSides.contains(where: { $0.rawValue == side }) { try body("sizes/\(name)/\(band)", secondScratch.bytes) }
        }
    }

    /// A band's ids in the order of their ordinals, into `scratch`, and how large their lists of attributes are into
    /// `secondScratch`. The copy has them shard by shard.
    private func encode(_ band: Int, from firstBand: Int, _ count: Int, _ raw: UnsafeMutableRawPointer) {
        let first = UInt32(band * RowBlock.band), rest = min(count - Int(first), RowBlock.band), shards = Placement.shardCount
        scratch.clear()
        secondScratch.clear()
        let sizes = secondScratch.space(rest)
        withUnsafeTemporaryAllocation(of: UnsafeMutableRawPointer.self, capacity: shards) { starts in
            for shard in 0..<min(shards, rest) {
                starts[shard] = raw + offset(first + UInt32(shard), from: firstBand, count) * EntityTable.rowBytes
            }
            for line in stride(from: 0, to: rest, by: shards) {
                var place = scratch.room(shards * EntityTable.SavedRow.longest)
                let before = place, within = line / shards * EntityTable.rowBytes
                for shard in 0..<min(shards, rest - line) {
                    let row = EntityTable.SavedRow(starts[shard] + within, sign: head.sign)
                    place += row.encode(place)
                    sizes.storeBytes(of: row.listSize, toByteOffset: line + shard, as: UInt8.self)
                }
                scratch.advance(place - before)
            }
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

    func copySightings(_ range: Range<Int>, _ buffer: CaptureBuffer) {
        guard let sightings = engine.sequencer.keeper.sightings else { return }
        buffer.put(sightings.contents.baseAddress! + range.lowerBound, range.count)
        buffer.changes = engine.shared.undo.pointee.chain(Sightings.undoArea, piece: range.lowerBound / CaptureBuffer.pieceBytes)
    }

    func noteSightings(after range: Range<Int>) {
        guard let sightings = engine.sequencer.keeper.sightings else { return }
        sightings.noteChanges(of: range.upperBound..<sightings.bytes, in: engine.shared.undo)
    }

    func emitSightings<Failure: Error>(
        _ range: Range<Int>, _ buffer: CaptureBuffer, _ body: (String, UnsafeRawBufferPointer) throws(Failure) -> Void
    ) throws(Failure) {
        spent = Sightings.undo(buffer.changes, in: UnsafeMutableRawBufferPointer(mutating: buffer.bytes), from: range.lowerBound)
        try body("sightings/\(range.lowerBound / CaptureBuffer.pieceBytes)", buffer.bytes)
    }
}

extension RowBlock {
    /// The blocks of some bands.
    static func blocks(_ bands: Range<Int>) -> Range<Int> {
        bands.lowerBound << Int(Placement.shardBits)..<bands.upperBound << Int(Placement.shardBits)
    }
}
