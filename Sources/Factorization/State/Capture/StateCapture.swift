import Synchronization

/// A capture under way: the state of an engine copied piece by piece, each in a pause, while between two pauses everything goes on.
///
/// * `init` in a pause of the sequencer, at position P0: all that the sequencer owns is captured as it is there. Ids and the
///   sketch of sightings are copied later, and what changes meanwhile is undone in the copy (`IdUndo`).
/// * Pieces of what trainers own are copied once every trainer has passed P0, with W[piece] = the position that each had applied,
///   and Q[piece] = the sequencer's position. Lists come before rows, so that an event that a row has still to take finds the
///   user's seen set and history as they were at its position.
/// * Whoever takes the state up starts at P0 and applies the stream again; a part of an event goes to a row of a piece only where
///   the event's position is past W[piece][its trainer] (`ReplayWindow`).
///
/// Every part of every event then is there once, and what depends on the order of a user's own events is as it was. Values may
/// differ as they do among trainers who do not wait for each other; and so may, near `memory.histories`, which items lists leave out,
/// where users of one shard lie in several pieces.
///
/// In one pause of everybody, all pieces have W = Q = P0: an exact state, for which nothing has to be applied again.
///
/// Thread safety: one thread; what each function asks of the others stands with it.
public final class StateCapture {
    /// Who has to stand while the next piece is copied.
    public enum Pause: Sendable { case nobody, sequencer, everybody }

    let engine: Engine
    let head: Head
    /// P0.
    public var position: UInt64 { head.position }
    /// The highest position that any piece holds something of; final once `next` is nil.
    public private(set) var highest: UInt64
    private(set) var plan: [Piece]
    private var planned = 0
    var table = PieceTable()
    private var isFinished = false

    /// Begins. The sequencer stands. One capture at a time.
    public init(_ engine: Engine) {
        self.engine = engine
        head = Head(engine)
        highest = head.position
        table.position = head.position
        table.trainers = engine.trainers.count
        plan = StateCapture.plan(engine, head)
        let shared = engine.shared
        shared.undo.pointee.open(head.counts + [head.keeper.sightingsBytes / 8])
        for (side, table) in engine.sides.enumerated() { table.table.noteChanges(from: 0, to: head.counts[side]) }
        if let sightings = engine.sequencer.keeper.sightings { sightings.noteChanges(of: 0..<sightings.bytes, in: shared.undo) }
    }

    deinit { precondition(isFinished, "a capture ends with `close`") }

    private static func plan(_ engine: Engine, _ head: Head) -> [Piece] {
        var plan = [Piece.head]
        for side in engine.sides.indices {
            let bands = (head.counts[side] + RowBlock.band - 1) / RowBlock.band
            for first in stride(from: 0, to: bands, by: bandsPerPiece) {
                plan.append(.ids(side: side, bands: first..<min(first + bandsPerPiece, bands)))
            }
        }
        let sketch = head.keeper.sightingsBytes
        for start in stride(from: 0, to: sketch, by: CaptureBuffer.pieceBytes) {
            plan.append(.sightings(start..<min(start + CaptureBuffer.pieceBytes, sketch)))
        }
        if head.counts[0] > 0 { plan.append(.lists(0..<head.counts[0])) }
        for side in 0..<2 where head.counts[side] > 0 { plan.append(.attributes(side: side, 0..<head.counts[side])) }
        if engine.shared.replay != nil { for shard in 0..<Placement.shardCount { plan.append(.replay(shard: shard)) } }
        for (number, model) in engine.models.enumerated() {
            for group in model.groups.indices {
                let blocks = RowBlock.count(of: head.counts[engine.sideNumber(model.groups[group].side)])
                let step = model.blocksPerPiece(group)
                for first in stride(from: 0, to: blocks, by: step) {
                    plan.append(.rows(model: number, group: group, blocks: first..<min(first + step, blocks)))
                }
            }
            plan.append(.globals(model: number))
        }
        return plan
    }

    /// Whether counts were rescaled before all ids were copied: this capture is of no use, and another has to begin. Rare: once in
    /// 64 half-lives of popularity.
    public private(set) var isSpoilt = false
    /// Whether the log of changes fills up, so that copying has to be quicker.
    public private(set) var isPressed = false
    /// What was undone in the copy before.
    var spent = IdUndo.Spent()
    /// For sections whose form is not that of the copy.
    let scratch = CaptureBuffer(bytes: 1 << 20), secondScratch = CaptureBuffer(bytes: 1 << 19)
    /// Bands of ids that are copied in one pause.
    static let bandsPerPiece = (1 << Int(IdUndo.pieceBits)) / RowBlock.band

    /// Who has to stand for the next piece; nil when all is copied.
    public var next: Pause? {
        planned < plan.count ? who(plan[planned]) : nil
    }

    /// Whether the next piece can be copied already: what trainers own only when each of them has passed P0.
    public var isReady: Bool { next != .everybody || engine.trainers.allSatisfy { $0.appliedPosition >= position } }

    /// Bytes that the next piece may need: for `CaptureBuffer.reserve`, before the pause.
    public var expected: Int {
        planned < plan.count ? expected(plan[planned]) : 0
    }

    /// Bytes that a piece may need; of lists, all but the last user's.
    func expected(_ piece: Piece) -> Int {
        switch piece {
        case .rows(let model, let group, let blocks): blocks.count * engine.models[model].blockBytes(group) + 8
        case .lists, .attributes: StateCapture.listBytes + CaptureBuffer.pieceBytes / 4
        case .head, .ids, .sightings, .replay, .globals: CaptureBuffer.pieceBytes
        }
    }

    /// Bytes that all sections will have, about: for room on the disk.
    public var expectedBytes: Int {
        let ids = head.counts.reduce(0) { $0 + $1 * 24 }, lists = engine.shared.userItems.held + 13 * head.counts[0] + 5 * head.counts[1]
        let rows = engine.models.reduce(0) { sum, model in
            sum + model.stores.reduce(model.globalBytes + 8192) { $0 + $1.store.rowBytes * head.counts[engine.sideNumber($1.side)] }
        }
        return ids + lists + rows + (engine.shared.replay?.bytes ?? 0) + (head.keeper.sightingsBytes) + 32 * plan.count
    }

    /// Bytes that all copies of an engine's state will have, about. Any thread.
    public static func expectedBytes(_ engine: Engine) -> Int {
        let rows = engine.models.reduce(0) { sum, model in
            sum + model.groups.indices.reduce(model.globalBytes) {
                $0 + RowBlock.count(of: engine.rowCount(model.groups[$1].side)) * model.blockBytes($1)
            }
        }
        let ids = engine.sides.reduce(0) { $0 + $1.table.count * EntityTable.rowBytes }, shared = engine.shared
        let lists = shared.userItems.held + 16 * engine.users.count + shared.attributes.users.bytes + shared.attributes.items.bytes
        return rows + ids + lists + (shared.replay?.bytes ?? 0) + (engine.sequencer.keeper.sightings?.bytes ?? 0)
    }

    /// Copies the next piece. Those whom `next` names stand, and with them the sequencer.
    public func copy(into buffer: CaptureBuffer) {
        let piece = widened(plan[planned])
        planned += 1
        if who(piece) != .nobody {
            engine.shared.undo.pointee.recycle(spent)
            spent = IdUndo.Spent()
        }
        if let rest = fill(buffer, piece) { plan.insert(rest, at: planned) }
        stopNoting(piece)
        // The first piece is copied while the sequencer works.
        guard who(piece) != .nobody else { return }
        isSpoilt = engine.shared.undo.pointee.isSpoilt
        isPressed = engine.shared.undo.pointee.isFilling
        if next != .sequencer { engine.shared.undo.pointee.relax() }
        if who(piece) == .everybody { enter(buffer) }
    }

    /// Lists go with users who came meanwhile: what a shard's budget leaves out depends on all of its lists. Not without end.
    private func widened(_ piece: Piece) -> Piece {
        guard case .lists(let users) = piece else { return piece }
        return .lists(users.lowerBound..<max(users.upperBound, min(engine.users.count, 2 * head.counts[0] + RowBlock.band)))
    }

    /// Copies a piece, and answers what is left of it where it is too long for one.
    ///
    /// Reads only: where everybody stands, several threads may, each into a buffer of its own.
    func fill(_ buffer: CaptureBuffer, _ piece: Piece) -> Piece? {
        buffer.begin(piece)
        switch piece {
        case .head: break
        case .ids(let side, let bands): copyIds(side, bands, buffer)
        case .sightings(let range): copySightings(range, buffer)
        case .lists(let users):
            let end = copyLists(users, buffer)
            if end < users.upperBound { return .lists(end..<users.upperBound) }
        case .attributes(let side, let range):
            let end = copyAttributes(side, range, buffer)
            if end < range.upperBound { return .attributes(side: side, end..<range.upperBound) }
        case .replay(let shard): copyReplay(shard, buffer)
        case .rows(let model, let group, let blocks): copyRows(model, group, blocks, buffer)
        case .globals(let model): copyGlobals(model, buffer)
        }
        return nil
    }

    /// Changes of what is copied need not be noted any longer.
    private func stopNoting(_ piece: Piece) {
        switch piece {
        case .ids(let side, let bands): noteIds(side, after: bands)
        case .sightings(let range): noteSightings(after: range)
        default: break
        }
    }

    /// Enters a copied piece of what trainers own in the table of pieces.
    private func enter(_ buffer: CaptureBuffer) {
        guard let piece = buffer.piece else { return }
        highest = max(highest, engine.sequencer.lastPosition)
        table.highest = highest
        table.counts = engine.sides.map { $0.table.count }
        var count = 0
        if case .rows(let model, let group, _) = piece { count = engine.rowCount(engine.models[model].groups[group].side) }
        table.add(piece, at: engine.sequencer.lastPosition, engine.trainers.map(\.appliedPosition), count: count)
    }

    /// Takes copies of all pieces, made by `ExactCopy`, for its own. Everybody stands still.
    func take(_ copies: [CaptureBuffer]) {
        planned = plan.count
        for copy in copies {
            guard let piece = copy.piece else { continue }
            stopNoting(piece)
            if who(piece) == .everybody { enter(copy) }
        }
        engine.shared.undo.pointee.relax()
    }

    private func who(_ piece: Piece) -> Pause {
        switch piece {
        case .head: .nobody
        case .ids, .sightings: .sequencer
        case .lists, .attributes, .replay, .rows, .globals: .everybody
        }
    }

    /// Ends the capture, finished or given up. While the sequencer stands.
    public func close() {
        isFinished = true
        for (_, table) in engine.sides {
            table.noteChanges(from: 0, to: 0)
        }
        engine.sequencer.keeper.sightings?.noteChanges(of: 0..<0, in: engine.shared.undo)
        engine.shared.undo.pointee.close()
        for (_, table) in engine.sides { table.releaseTexts() }
    }

    /// Hands what was copied to `body` as sections. Needs no pause.
    /// - Parameter body: a section's name and bytes, valid during the call.
    public func emit<Failure: Error>(
        _ buffer: CaptureBuffer, _ body: (String, UnsafeRawBufferPointer) throws(Failure) -> Void
    ) throws(Failure) {
        guard let piece = buffer.piece else { return }
        switch piece {
        case .head: try emitHead(body)
        case .ids(let side, let bands): try emitIds(side, bands, buffer, body)
        case .sightings(let range): try emitSightings(range, buffer, body)
        case .lists(let users): try emitLists(users, buffer, body)
        case .attributes(let side, let range): try body("attributes/\(side == 0 ? "users" : "items")/\(range.lowerBound)", buffer.bytes)
        case .replay(let shard): try body("replay/\(shard)", buffer.bytes)
        case .rows(let model, let group, let blocks): try emitRows(model, group, blocks, buffer, body)
        case .globals(let model): try emitGlobals(model, buffer, body)
        }
    }

    /// Hands out the last sections: which piece stands where. After all others.
    public func emitEnd<Failure: Error>(_ body: (String, UnsafeRawBufferPointer) throws(Failure) -> Void) throws(Failure) {
        try emit("pieces", table.encoded(), body)
        try emit("watermarks", table.watermarks(models: engine.models.map { $0.groups.count }), body)
    }

    func emit<Failure: Error>(
        _ name: String, _ bytes: [UInt8], _ body: (String, UnsafeRawBufferPointer) throws(Failure) -> Void
    ) throws(Failure) {
        var failure: Failure?
        bytes.withUnsafeBytes { raw in
            do throws(Failure) { try body(name, raw) } catch { failure = error }
        }
        if let failure { throw failure }
    }
}

extension Engine {
    /// The number of a side by its name.
    func sideNumber(_ name: String) -> Int { sides.firstIndex { $0.name == name }! }
}
