import Testing

@testable import Factorization

/// The log of what ids were when a capture began.
@Suite struct IdUndoTests {
    @Test func aRowIsNotedOnceAndItsPieceAlone() {
        var undo = IdUndo()
        undo.open([600_000, 10])
        defer { undo.close() }
        for round in 0..<3 {
            undo.note(0, 5, 100 + UInt64(round))
            undo.note(0, 300_000, 200 + UInt64(round))
            undo.note(1, 5, 300 + UInt64(round))
        }
        undo.note(payload: 7, of: 5, 0)
        undo.note(payload: 8, of: 5, 0)
        #expect(undo.count == 5)
        var found: [UInt64] = []
        let spent = undo.chain(0, piece: 0).forEach { found.append($0.old) }
        // Newest first, so that the oldest stays.
        #expect(found == [8, 7, 100] && spent.count == 3)
        found = []
        _ = undo.chain(0, piece: 1).forEach { found.append($0.old) }
        #expect(found == [200])
        undo.recycle(spent)
        #expect(undo.count == 2)
    }

    /// Entries of pieces that are done make room for others, so that the log is as long as what is not copied yet.
    @Test func entriesAreUsedAgain() {
        var undo = IdUndo()
        let rows = 8 << IdUndo.pieceBits
        undo.open([rows])
        defer { undo.close() }
        for piece in 0..<8 {
            let first = piece << IdUndo.pieceBits
            for row in first..<first + (1 << IdUndo.pieceBits) { undo.note(0, UInt32(row), UInt64(row)) }
            #expect(undo.count == 1 << IdUndo.pieceBits && !undo.isTight)
            var isRight = true
            let spent = undo.chain(0, piece: piece).forEach { isRight = isRight && $0.old == UInt64($0.number) }
            #expect(isRight)
            undo.recycle(spent)
        }
        #expect(undo.count == 0 && !undo.isSpoilt)
    }

    @Test func aFullLogStopsTheStreamAndRoomLetsItGoOn() {
        var undo = IdUndo()
        undo.open([IdUndo.capacity * 2])
        defer { undo.close() }
        var row: UInt32 = 0
        while !undo.isTight {
            undo.note(0, row, 1)
            row += 1
        }
        #expect(undo.count == IdUndo.capacity - IdUndo.margin + 1 && !undo.isSpoilt)
        undo.recycle(undo.chain(0, piece: 0).forEach { _ in })
        #expect(!undo.isTight)
    }
}
