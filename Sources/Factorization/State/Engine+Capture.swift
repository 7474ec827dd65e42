import CKernels
import Synchronization

extension Engine {
    /// Ids or users in one section.
    static let idsPerSection = 1 << 16

    /// Copies everything into an image. No thread may be sequencer or trainer meanwhile; readers may go on. The image is
    /// the exact state after `appliedPosition`.
    public func capture() -> StateImage {
        precondition(appliedPosition == sequencer.lastPosition, "a state is captured when all trainers are idle")
        var image = StateImage()
        image.position = sequencer.lastPosition
        // The increment as of the image's position, however long the last count is past.
        _ = shared.increment(at: image.position)
        captureCounts(into: &image)
        capture(names: shared.types.allNames, as: "types", into: &image)
        capture(names: fields.allNames, as: "fields", into: &image)
        for (name, table) in sides { capture(table, as: name, into: &image) }
        captureRows(into: &image)
        captureUserItems(into: &image)
        captureAttributes(into: &image)
        for model in models { capture(model, into: &image) }
        captureCounting(into: &image)
        captureWatermarks(into: &image)
        return image
    }

    var sides: [(name: String, table: EntityTable)] {
        [
            ("users", users), ("items", items), ("contexts", contexts), ("userAttributes", userAttributes), ("itemAttributes", itemAttributes)] }

    /// How many rows the groups of a side have.
    func rowCount(_ side: String) -> Int { sides.first { $0.name == side }!.table.count }

    private func captureCounts(into image: inout StateImage) {
        var writer = ByteWriter()
        writer.put(image.position)
        for (_, table) in sides { writer.put(UInt64(table.count)) }
        writer.put(UInt64(models.count))
        image.add("counts", writer.bytes)
    }

    private func capture(names: [[UInt8]], as section: String, into image: inout StateImage) {
        var writer = ByteWriter()
        writer.put(UInt32(names.count))
        for name in names {
            writer.put(UInt32(name.count))
            writer.put(name)
        }
        image.add(section, writer.bytes)
    }

    private func capture(_ table: EntityTable, as side: String, into image: inout StateImage) {
        for start in stride(from: 0, to: table.count, by: Engine.idsPerSection) {
            var writer = ByteWriter()
            for ordinal in start..<min(start + Engine.idsPerSection, table.count) {
                guard !table.isHole(UInt32(ordinal)) else {
                    writer.put(UInt8(0))
                    continue
                }
                let key = table.key(UInt32(ordinal), hashing: hashing)
                writer.put(UInt8(key.isText ? 2 : 1))
                writer.put(key.namespace)
                writer.put(UInt8(table.isHidden(UInt32(ordinal)) ? 1 : 0))
                writer.put(UInt16(table.stamp(UInt32(ordinal))))
                writer.put(table.storedFrequency(UInt32(ordinal)))
                if key.isText {
                    writer.put(key.length)
                    writer.put(key.text)
                } else {
                    writer.put(key.payload)
                }
            }
            image.add("ids/\(side)/\(start / Engine.idsPerSection)", writer.bytes)
        }
    }

    private func captureUserItems(into image: inout StateImage) {
        for start in stride(from: 0, to: users.count, by: Engine.idsPerSection) {
            var histories = ByteWriter(), seens = ByteWriter()
            func put(_ block: HeldBlock?, _ writer: inout ByteWriter) {
                writer.put(UInt32(block?.capacity ?? 0))
                guard let block else { return }
                writer.put(UInt32(block.items.count))
                for item in block.items { writer.put(item) }
            }
            for user in start..<min(start + Engine.idsPerSection, users.count) {
                let blocks = shared.userItems.blocks(of: UInt32(user))
                put(blocks.history, &histories)
                seens.put(UInt8(blocks.isSeenComplete ? 1 : 0))
                put(blocks.seen, &seens)
            }
            image.add("history/\(start / Engine.idsPerSection)", histories.bytes)
            image.add("seen/\(start / Engine.idsPerSection)", seens.bytes)
        }
    }

    private func capture(_ model: Model, into image: inout StateImage) {
        let prefix = "model/\(model.settings.name)"
        var writer = ByteWriter()
        let global = model.globalState
        writer.put(global.bias)
        writer.put(global.accumulator)
        writer.put(global.updates)
        writer.put(UInt32(model.settings.rank))
        for name in model.settings.identity.map(\.value) {
            writer.put(UInt32(name.utf8.count))
            writer.put(name.utf8)
        }
        image.add("\(prefix)/global", writer.bytes)
        if let parameters = model.parameters {
            var writer = ByteWriter()
            parameters.write(&writer, model.kernels)
            image.add("\(prefix)/parameters", writer.bytes)
        }
        if let grams = model.grams {
            var writer = ByteWriter()
            grams.write(&writer)
            image.add("\(prefix)/gram", writer.bytes)
        }
        image.add("\(prefix)/stamped", model.groups.map { $0.table.stamps == nil ? 0 : 1 })
        for (name, side, store) in model.stores {
            for shard in 0..<Placement.shardCount {
                let rows = Placement.rows(in: shard, of: rowCount(side))
                for local in stride(from: 0, to: rows, by: Placement.rowsPerSlab) {
                    let run = store.run(shard: shard, from: local, limit: rows - local)
                    let section = "\(prefix)/\(name)/\(shard)/\(local >> Int(Placement.slabBits))"
                    let space = image.add(section, count: run.count * store.rowBytes)
                    // Four-byte words, through the kernels: the last step of a trainer may be this instant's neighbour.
                    model.kernels.copy(
                        space.baseAddress!.assumingMemoryBound(to: Float.self),
                        run.address.assumingMemoryBound(to: Float.self), run.count * store.rowBytes / 4)
                }
            }
        }
    }

    private func captureWatermarks(into image: inout StateImage) {
        var writer = ByteWriter()
        writer.put(UInt32(Placement.shardCount))
        for shard in 0..<Placement.shardCount { writer.put(trainers[shard % trainers.count].appliedPosition) }
        image.add("watermarks", writer.bytes)
    }
}
