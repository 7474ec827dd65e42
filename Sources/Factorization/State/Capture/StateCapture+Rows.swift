import CKernels

/// Rows, and what a model has once.
extension StateCapture {
    /// A piece lies in the buffer store after store, each with its blocks in order; before them, of users and items, the
    /// blocks' sums.
    func copyRows(_ model: Int, _ group: Int, _ blocks: Range<Int>, _ buffer: CaptureBuffer) {
        let owner = engine.models[model], side = owner.groups[group].side, count = engine.rowCount(side)
        if let part = owner.witnessPart(group) { for block in blocks { buffer.put(engine.witness(model, part, block: block)) } }
        for (_, store) in owner.stores(of: group) {
            for block in blocks {
                let rows = RowBlock.rows(in: block, of: count)
                guard rows > 0 else { continue }
                let run = store.run(shard: RowBlock.shard(block), from: RowBlock.firstLocal(block), limit: rows)
                buffer.put(run.address, rows * store.rowBytes)
            }
        }
        buffer.put(UInt64(count))
    }

    func emitRows<Failure: Error>(
        _ model: Int, _ group: Int, _ blocks: Range<Int>, _ buffer: CaptureBuffer,
        _ body: (String, UnsafeRawBufferPointer) throws(Failure) -> Void
    ) throws(Failure) {
        let owner = engine.models[model], all = buffer.bytes, end = all.count - 8
        let count = Int(all.loadUnaligned(fromByteOffset: end, as: UInt64.self))
        let rows = blocks.reduce(0) { $0 + RowBlock.rows(in: $1, of: count) }
        let prefix = "model/\(owner.settings.name)/\(owner.groups[group].name)"
        var start = 0
        func part(_ bytes: Int) -> UnsafeRawBufferPointer {
            defer { start += bytes }
            return UnsafeRawBufferPointer(rebasing: all[start..<start + bytes])
        }
        if owner.witnessPart(group) != nil { try body("\(prefix)/\(Model.sumStore)/\(blocks.lowerBound)", part(8 * blocks.count)) }
        for (name, store) in owner.stores(of: group) { try body("\(prefix)/\(name)/\(blocks.lowerBound)", part(rows * store.rowBytes)) }
    }

    /// Small sections are made in the pause: length u32 and bytes of each.
    func copyGlobals(_ number: Int, _ buffer: CaptureBuffer) {
        let model = engine.models[number]
        func put(_ bytes: [UInt8]) {
            buffer.put(UInt32(bytes.count))
            bytes.withUnsafeBytes { buffer.put($0.baseAddress!, $0.count) }
        }
        put(global(model))
        var writer = ByteWriter()
        writer.put(UInt32(engine.trainers.count))
        let counted = engine.trainers.map { $0.learners[number].prequential.state }
        for state in counted { state.write(&writer) }
        put(writer.bytes)
        writer = ByteWriter()
        for state in counted { state.window.write(&writer) }
        put(writer.bytes)
        writer = ByteWriter()
        for state in counted { state.writeParts(&writer) }
        put(writer.bytes)
        writer = ByteWriter()
        let learners = engine.trainers.map { $0.learners[number] }.filter(\.takesRuns)
        writer.put(UInt32(learners.count))
        for learner in learners { for value in learner.run.pointee.late { writer.put(value) } }
        put(writer.bytes)
        if let parameters = model.parameters {
            writer = ByteWriter()
            parameters.write(&writer, model.kernels)
            put(writer.bytes)
        }
        if let grams = model.grams {
            writer = ByteWriter()
            grams.write(&writer)
            put(writer.bytes)
        }
        if let comparison = comparison(of: number) { put(comparison) }
    }

    private func global(_ model: Model) -> [UInt8] {
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
        return writer.bytes
    }

    func emitGlobals<Failure: Error>(
        _ number: Int, _ buffer: CaptureBuffer, _ body: (String, UnsafeRawBufferPointer) throws(Failure) -> Void
    ) throws(Failure) {
        let model = engine.models[number], all = buffer.bytes
        var names = ["global", "prequential", "window", "parts", "late"]
        if model.parameters != nil { names.append("parameters") }
        if model.grams != nil { names.append("gram") }
        if engine.settings.comparison?.model == number { names.append(Engine.comparisonSection) }
        var start = 0
        for name in names {
            let count = Int(all.loadUnaligned(fromByteOffset: start, as: UInt32.self))
            try body("model/\(model.settings.name)/\(name)", UnsafeRawBufferPointer(rebasing: all[start + 4..<start + 4 + count]))
            start += 4 + count
        }
    }
}

extension Model {
    /// Name of the sums of blocks, beside the stores of users and items.
    static let sumStore = "sums"

    /// The stores that make up a row of a group, with their names.
    func stores(of group: Int) -> [(name: String, store: SlabStore)] {
        let (name, _, table) = groups[group]
        return table.stores + (name == "items" ? grams.map { [("settled", $0.settled)] } ?? [] : [])
    }

    /// The part of an interaction that a group's rows take, where sums are kept of it.
    func witnessPart(_ group: Int) -> RowSide? {
        switch groups[group].name {
        case "users": .users
        case "items": .items
        default: nil
        }
    }

    /// Bytes of a copy of a block at most.
    func blockBytes(_ group: Int) -> Int { 8 + stores(of: group).reduce(0) { $0 + $1.store.rowBytes * RowBlock.rows } }

    /// Blocks that are copied in one pause.
    func blocksPerPiece(_ group: Int) -> Int { max(1, CaptureBuffer.pieceBytes / blockBytes(group)) }
}
