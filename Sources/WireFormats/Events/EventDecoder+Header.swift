import Factorization

/// The columnar message in hand.
struct ColumnarMessage {
    var columns: [Column] = []
    var rowCount = 0
    /// The header's `type`, for all rows where there is no type column; on the tape.
    var type: UnsafeRawBufferPointer?
}

/// A columnar header or frame that is wrong; names the column.
private struct ColumnFailure: Error {
    let reason: RejectionReason
    let detail: String
}

/// The header of a columnar batch:
///
///     {"columns":[[NAME,DTYPE],…],"count":N,"type":…,"source":…,"epoch":…,"seq":…}
///
/// NAME is `user`, `item` (both required; integers or utf8), `type` (utf8), `value`, `weight`, `time` (numbers), or
/// `context.FIELD` (integers and utf8: categorical; floats: numeric, NaN for none; an empty text for none). DTYPE is one
/// of `ColumnType`. The header's own `type` (optional) holds for all rows without a type column. The frames follow in
/// the columns' order, each of exactly the size that `count` demands; utf8 takes two.
extension EventDecoder {
    func takeColumns(_ header: JSONValue, frames: UnsafeBufferPointer<UnsafeRawBufferPointer>) {
        do throws(ColumnFailure) {
            try readColumns(header, frames)
            progress = .columns(nextRow: 0)
        } catch {
            refuseMessage(error.reason, error.detail, bytes: parser.loadedCount)
        }
    }

    private func readColumns(
        _ header: JSONValue, _ frames: UnsafeBufferPointer<UnsafeRawBufferPointer>
    ) throws(ColumnFailure) {
        columnar.columns.removeAll(keepingCapacity: true)
        guard let count = header["count"]?.int64, count >= 0, count <= Int64(UInt32.max) else {
            throw ColumnFailure(reason: .badHeader, detail: "count: not an integer from 0 on")
        }
        columnar.rowCount = Int(count)
        columnar.type = nil
        if let type = header["type"], !type.isNull {
            guard let bytes = type.stringBytes, bytes.count >= 1, bytes.count <= EventLimits.longestName else {
                throw ColumnFailure(reason: .badHeader, detail: "type: not a string of 1 to 128 bytes")
            }
            columnar.type = bytes
        }
        guard let described = header["columns"], let elements = described.elements else {
            throw ColumnFailure(reason: .badHeader, detail: "columns: not an array of [name, dtype]")
        }
        guard described.count <= limits.columns else {
            throw ColumnFailure(reason: .badHeader, detail: "columns: \(described.count), the limit is \(limits.columns)")
        }
        var nextFrame = 0
        for element in elements { try readColumn(element, frames, &nextFrame) }
        guard nextFrame == frames.count else {
            throw ColumnFailure(
                reason: .badFrames, detail: "\(frames.count) frames follow the header, its columns are \(nextFrame)")
        }
        if !columnar.columns.contains(where: { $0.role == .user }) {
            throw ColumnFailure(reason: .missingUser, detail: "columns: no user")
        }
        if !columnar.columns.contains(where: { $0.role == .item }) {
            throw ColumnFailure(reason: .missingItem, detail: "columns: no item")
        }
    }

    private func readColumn(
        _ element: JSONValue, _ frames: UnsafeBufferPointer<UnsafeRawBufferPointer>, _ nextFrame: inout Int
    ) throws(ColumnFailure) {
        let number = columnar.columns.count
        guard var pair = element.elements, element.count == 2, let first = pair.next(), let name = first.stringBytes,
            let dtype = pair.next()?.stringBytes
        else {
            throw ColumnFailure(reason: .badHeader, detail: "columns[\(number)]: not [name, dtype]")
        }
        func fail(_ reason: RejectionReason, _ detail: String) -> ColumnFailure {
            ColumnFailure(reason: reason, detail: "column \(String(decoding: name.prefix(64), as: UTF8.self)): \(detail)")
        }
        guard name.count <= 8 + EventLimits.longestName, let role = ColumnRole(name) else {
            throw fail(.badColumn, "not one of user, item, type, value, weight, time, context.FIELD")
        }
        guard let type = ColumnType(dtype) else {
            throw fail(.badColumn, "the dtype is not one of |i1 <i2 <i4 <i8 |u1 <u2 <u4 <u8 <f4 <f8 utf8")
        }
        guard role.takes(type) else { throw fail(.badColumn, "cannot be \(type.name)") }
        let field = ColumnRole.contextField(name) ?? UnsafeRawBufferPointer(start: nil, count: 0)
        let isTwice = columnar.columns.contains { other in
            other.role == role && (role != .context || other.fieldName.elementsEqual(field))
        }
        guard !isTwice else { throw fail(.badColumn, "comes twice") }
        let frameCount = type == .utf8 ? 2 : 1
        guard nextFrame + frameCount <= frames.count else { throw fail(.badFrames, "its frame is missing") }
        let rows = columnar.rowCount + (type == .utf8 ? 1 : 0)
        let frame = frames[nextFrame]
        guard frame.count == rows * type.width else {
            throw fail(.badColumn, "its frame has \(frame.count) bytes, \(columnar.rowCount) rows need \(rows * type.width)")
        }
        var text = UnsafeRawBufferPointer(start: nil, count: 0)
        if type == .utf8 {
            text = frames[nextFrame + 1]
            if let detail = EventDecoder.faultOfText(offsets: frame, text) { throw fail(.badColumn, detail) }
        }
        nextFrame += frameCount
        // An empty frame may have no address; its pointer is never read.
        columnar.columns.append(
            Column(
                role: role, type: type, data: frame.baseAddress ?? EventDecoder.nowhere,
                text: text.baseAddress ?? EventDecoder.nowhere, fieldName: field))
    }

    /// Stands for the address of an empty frame.
    private static var nowhere: UnsafeRawPointer { UnsafeRawPointer(bitPattern: 8).unsafelyUnwrapped }

    /// What is wrong with a text column, nil when nothing is.
    private static func faultOfText(offsets: UnsafeRawBufferPointer, _ text: UnsafeRawBufferPointer) -> String? {
        let count = offsets.count / 4
        func offset(_ index: Int) -> Int { Int(offsets.loadUnaligned(fromByteOffset: index &* 4, as: UInt32.self)) }
        guard offset(0) == 0 else { return "its first offset is \(offset(0)), not 0" }
        guard offset(count - 1) == text.count else {
            return "its last offset is \(offset(count - 1)), its text has \(text.count) bytes"
        }
        var last = 0
        for index in 1..<max(1, count) {
            let next = offset(index)
            guard next >= last else { return "offset \(index) falls" }
            last = next
        }
        // Only now is each offset known to lie within the text.
        if isPlainASCII(text) { return nil }
        guard UTF8Check.isValid(text) else { return "its text is not UTF-8" }
        for index in 0..<count where offset(index) < text.count && text[offset(index)] & 0xC0 == 0x80 {
            return "offset \(index) cuts a character"
        }
        return nil
    }
}
