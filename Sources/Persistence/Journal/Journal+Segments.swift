internal import LinuxSystem
internal import Synchronization

extension Journal {
    /// Finishes the segment that is full, if there is one, and makes the next. Journal thread.
    func startSegment() throws(PersistenceError) {
        try sync()
        if let file = writer.file {
            writer.file = nil
            // What `writeOut` has left there.
            file.dropCache()
            try system { () throws(SystemError) in try file.close() }
        }
        try createSegment(after: writer.written)
    }

    /// Makes a segment for the records after `mark`, and writes there from now on. Journal thread.
    func createSegment(after mark: JournalMark, durableThrough: UInt64? = nil) throws(PersistenceError) {
        let header = JournalSegmentHeader(
            id: writer.nextID, firstNumber: mark.number + 1, firstPosition: mark.position + 1,
            durableThrough: durableThrough ?? min(writer.durable.number, mark.number), configuration: configuration)
        // Never used twice, even where the attempt fails: the id tells records of two files apart.
        writer.nextID += 1
        let size = UInt64(settings.segmentBytes)
        let (file, segment) = try JournalSegment.create(header, size: size, directory: directory, fileSystem: fileSystem)
        writer.file = file
        writer.id = header.id
        writer.start = segment.start
        writer.offset = segment.start
        writer.writebackStart = segment.start
        shared.withLock { $0.segments.append(segment) }
    }

    /// Removes segments that hold nothing after `position`, oldest first. For the caller to call when every retained
    /// snapshot is past that position. The current segment stays. Any thread.
    /// - Returns: how many were removed.
    @discardableResult
    public func retire(through position: UInt64) throws(PersistenceError) -> Int {
        var removed = 0
        while let path = oldestSegment(through: position) {
            do throws(SystemError) {
                try fileSystem.remove(path)
            } catch where error.code == missingErrorCode {
                // Removed by an attempt that could not make it durable.
            } catch {
                throw .system(error)
            }
            // After each: a power cut must not leave an older segment where a younger one is gone.
            try system { () throws(SystemError) in try fileSystem.syncDirectory(directory) }
            shared.withLock { $0.segments.removeAll { $0.path == path } }
            removed += 1
        }
        return removed
    }

    private func oldestSegment(through position: UInt64) -> String? {
        shared.withLock { state in
            // A record without positions may stand between `position` and the next: it stays too.
            guard state.segments.count > 1, state.segments[1].header.firstPosition <= position else { return nil }
            return state.segments[0].path
        }
    }

    /// How many segment files there are.
    public var segmentCount: Int { shared.withLock { $0.segments.count } }

    /// Syncs what was appended, marks the end, gives reserved space back, and lowers the durable ceiling to the greatest
    /// position used: `lastPosition` or a greater one that the journal knows. After `run` has returned and the last
    /// append; nothing may be called after.
    /// - Returns: whether all of that worked. If not, what was reported durable is all the same.
    @discardableResult
    public func close(lastPosition: UInt64 = 0) -> Bool {
        defer { lock = nil }
        flush()
        guard !isDegraded.load(ordering: .acquiring), let file = writer.file else {
            try? writer.file?.close()
            writer.file = nil
            return false
        }
        do throws(PersistenceError) {
            try seal(file)
            writer.file = nil
            try system { () throws(SystemError) in try file.close() }
            let last = max(lastPosition, writer.written.position, used.load(ordering: .acquiring))
            try lowerCeiling(to: last)
            return true
        } catch {
            degrade(error)
            return false
        }
    }

    /// Written after the sync of all before: were it written with them, a power cut might leave it and lose them.
    private func seal(_ file: any OpenFile) throws(PersistenceError) {
        let size = JournalFormat.recordHeaderSize
        let record = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 8)
        defer { record.deallocate() }
        let last = writer.written
        JournalRecordFields.begin(
            record.baseAddress!, payloadLength: 0, number: last.number, firstPosition: last.position + 1, positions: 0, kind: 0,
            isSeal: true)
        JournalRecordFields.finish(record.baseAddress!, syncedThrough: last.number, segment: writer.id)
        let end = writer.offset + UInt64(size)
        try system { () throws(SystemError) in
            try file.writeAll(UnsafeRawBufferPointer(record))
            try file.truncate(to: end)
            try file.syncData()
        }
        writer.offset = end
    }
}

extension JournalSegment {
    /// Makes a segment's file, of `size` bytes at least. It gets its name when its header is durable, so a segment with a
    /// bad header is always damage. Nothing of an attempt that fails is left, save what the disk refuses to remove.
    static func create(
        _ header: JournalSegmentHeader, size: UInt64, directory: String, fileSystem: any FileSystem
    ) throws(PersistenceError) -> (any OpenFile, JournalSegment) {
        let bytes = header.encoded()
        let size = max(size, UInt64(bytes.count))
        let temporary = "\(directory)/\(JournalName.temporary(id: header.id))"
        let path = "\(directory)/\(JournalName.segment(number: header.firstNumber, id: header.id))"
        let file = try fileSystem.createTemporary(temporary)
        do throws(SystemError) {
            // First the space, so that a full disk shows here and not with records under way.
            try file.allocate(size)
            try bytes.withUnsafeBufferPointer { buffer throws(SystemError) in try file.writeAll(UnsafeRawBufferPointer(buffer)) }
            try file.sync()
            try fileSystem.renameExclusive(temporary, to: path)
        } catch {
            try? file.close()
            try? fileSystem.remove(temporary)
            throw .system(error)
        }
        do throws(SystemError) {
            try fileSystem.syncDirectory(directory)
        } catch {
            // Whether the name is durable nobody knows; an empty segment more does no harm.
            try? file.close()
            try? fileSystem.remove(path)
            throw .system(error)
        }
        return (file, JournalSegment(path: path, header: header, size: size))
    }
}
