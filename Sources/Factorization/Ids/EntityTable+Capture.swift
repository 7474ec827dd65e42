extension EntityTable {
    /// A row as a capture holds it: 16 bytes.
    struct SavedRow {
        var payload: UInt64
        var frequency: Float
        var meta: UInt32

        var isHole: Bool { meta & EntityTable.holeFlag != 0 }
        var isHidden: Bool { meta & EntityTable.hiddenFlag != 0 }
        var isText: Bool { meta & EntityTable.textFlag != 0 }
        var namespace: UInt16 { UInt16(truncatingIfNeeded: meta & EntityTable.namespaceMask) }
        var stamp: UInt32 { meta >> EntityTable.stampShift }
        /// The number of the size of its list of attributes.
        var listSize: UInt8 { isHole ? 0 : EntityTable.listSize(meta) }
        /// A text's bytes; valid while the capture keeps texts.
        var text: UnsafeRawBufferPointer { EntityTable.text(payload) }

        /// - Parameter sign: that of counts that had taken part in the last rebase.
        init(_ raw: UnsafeRawPointer, sign: UInt32) {
            payload = raw.load(as: UInt64.self)
            frequency = FadingCount.settled(raw.load(fromByteOffset: 8, as: UInt32.self), sign: sign)
            meta = raw.load(fromByteOffset: 12, as: UInt32.self)
        }

        /// Puts a change back where `init(_:sign:)` reads it.
        static func undo(_ entry: IdUndo.Entry, _ raw: UnsafeMutableRawPointer) {
            raw.storeBytes(of: entry.old, toByteOffset: entry.isPayload ? 0 : 8, as: UInt64.self)
        }

        /// Bytes of its form in a section at most.
        static let longest = 12 + Key.longestText

        /// Writes its form in a section (`StateImage`), for which there is room; answers the bytes.
        @inline(__always)
        func encode(_ place: UnsafeMutableRawPointer) -> Int {
            guard !isHole else {
                place.storeBytes(of: 0, as: UInt8.self)
                return 1
            }
            let head = UInt64(isText ? 2 : 1) | UInt64(namespace) << 8 | UInt64(isHidden ? 1 : 0) << 24 | UInt64(stamp) << 32
            let count = UInt64(frequency.bitPattern)
            place.storeBytes(of: (head | count << 48).littleEndian, as: UInt64.self)
            guard isText else {
                place.storeBytes(of: (count >> 16 | payload << 16).littleEndian, toByteOffset: 8, as: UInt64.self)
                place.storeBytes(of: UInt16(payload >> 48).littleEndian, toByteOffset: 16, as: UInt16.self)
                return 18
            }
            let text = text
            place.storeBytes(of: UInt16(count >> 16).littleEndian, toByteOffset: 8, as: UInt16.self)
            place.storeBytes(of: UInt16(text.count).littleEndian, toByteOffset: 10, as: UInt16.self)
            (place + 12).copyMemory(from: text.baseAddress!, byteCount: text.count)
            return 12 + text.count
        }
    }
}
