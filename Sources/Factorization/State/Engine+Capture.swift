extension Engine {
    /// Ids in one section: a band of ordinals.
    static let idsPerSection = RowBlock.band

    /// Copies everything into an image. No thread may be sequencer or trainer meanwhile; readers may go on. The image is
    /// the exact state after `appliedPosition`.
    public func capture() -> StateImage {
        precondition(appliedPosition == sequencer.lastPosition, "a state is captured when all trainers are idle")
        let capture = StateCapture(self), buffer = CaptureBuffer(bytes: 1 << 16)
        defer { capture.close() }
        var image = StateImage()
        image.position = capture.position
        while capture.next != nil {
            capture.copy(into: buffer)
            capture.emit(buffer) { name, bytes in image.add(name, bytes) }
        }
        capture.emitEnd { name, bytes in image.add(name, bytes) }
        return image
    }

    var sides: [(name: String, table: EntityTable)] {
        [
            ("users", users), ("items", items), ("contexts", contexts), ("userAttributes", userAttributes), ("itemAttributes", itemAttributes)]
    }

    /// How many rows the groups of a side have.
    func rowCount(_ side: String) -> Int { sides.first { $0.name == side }!.table.count }
}
