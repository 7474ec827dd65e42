internal import LinuxSystem

/// What `Journal.repair` did.
public struct JournalRepair: Equatable, Sendable, CustomStringConvertible {
    /// What was wrong.
    public let cause: PersistenceError
    /// Files that hold what was cut.
    public let quarantined: [String]
    /// The last record that is left, and the greatest position; 0 for none.
    public let lastNumber: UInt64
    public let lastPosition: UInt64
    /// The records that are lost, as far as what was cut still shows; nil where it shows none.
    public let lostNumbers: ClosedRange<UInt64>?
    /// Their positions. Events with later positions were in no record that can be recognised.
    public let lostPositions: ClosedRange<UInt64>?

    public var description: String {
        let numbers = lostNumbers.map { "records \($0.lowerBound) to \($0.upperBound)" } ?? "no record that can be recognised"
        let positions = lostPositions.map { "positions \($0.lowerBound) to \($0.upperBound)" } ?? "no position"
        return "cut after record \(lastNumber) (position \(lastPosition)); lost: \(numbers), \(positions); "
            + "kept in \(quarantined.joined(separator: ", "))"
    }
}

extension Journal {
    /// Cuts a damaged journal where the damage begins. What is cut goes to `<directory>/quarantine`, and the next records get
    /// numbers and positions behind the lost ones. Takes the journal's lock. A crash half-way leaves a journal that is
    /// still damaged, to be repaired again.
    /// - Parameter progress: called while records are read.
    /// - Returns: nil where nothing is damaged; a torn tail is no damage, `open` cuts it.
    public static func repair(
        directory: String, fileSystem: any FileSystem = LinuxFileSystem(), progress: @escaping ReadProgress = { _, _ in }
    ) throws(PersistenceError) -> JournalRepair? {
        let lock = try lock(directory, fileSystem: fileSystem)
        defer { withExtendedLifetime(lock) {} }
        let inventory = try JournalInventory(directory, fileSystem: fileSystem)
        let scanner = try JournalScanner(inventory, after: 0, fileSystem: fileSystem, progress: progress)
        var lost = JournalSegmentCursor.Rest()
        var moved: [String] = []
        let cause: PersistenceError
        var last = (number: scanner.scan.lastNumber, position: scanner.scan.lastPosition)
        if let damage = scanner.damage {
            cause = damage.error(directory: directory)
            last = (damage.lastNumber, damage.lastPosition)
            let later = inventory.segments.drop { $0.path != damage.segment.path }
            for segment in later {
                lost.add(try JournalSegmentCursor(segment, fileSystem: fileSystem).searchRest())
                if segment.path != damage.segment.path { lost.add(before: segment.header) }
            }
            moved = (damage.offset == 0 ? later : later.dropFirst()).map { String($0.path.dropFirst(directory.utf8.count + 1)) }
        } else if let fault = inventory.headerFault {
            cause = fault
        } else {
            return nil
        }
        for name in inventory.unread { lost.add(try recognisable(name, directory: directory, fileSystem: fileSystem)) }
        moved += inventory.unread
        // Keeps the numbers and positions of what is lost from being given again, and tells every later scan of the hole.
        // First of all, so that a repair that has to be repeated still knows them.
        let header = JournalSegmentHeader(
            id: inventory.greatestID + 1, firstNumber: max(last.number, lost.lastNumber) + 1,
            firstPosition: max(last.position, lost.lastPosition) + 1, durableThrough: last.number, configuration: scanner.scan.configuration)
        let (file, _) = try JournalSegment.create(header, size: 0, directory: directory, fileSystem: fileSystem)
        try system { () throws(SystemError) in try file.close() }
        var quarantined: [String] = []
        if let damage = scanner.damage, damage.offset > 0 {
            quarantined += try cutAside(damage, directory: directory, fileSystem: fileSystem)
        }
        quarantined += try moveAside(moved, directory: directory, fileSystem: fileSystem)
        return JournalRepair(
            cause: cause, quarantined: quarantined, lastNumber: last.number, lastPosition: last.position,
            lostNumbers: lost.lastNumber > last.number ? last.number + 1...lost.lastNumber : nil,
            lostPositions: lost.lastPosition > last.position ? last.position + 1...lost.lastPosition : nil)
    }

    /// Copies what lies behind the damage, durably, and only then cuts it.
    private static func cutAside(
        _ damage: JournalDamage, directory: String, fileSystem: any FileSystem
    ) throws(PersistenceError) -> [String] {
        let size = damage.segment.size
        guard damage.offset < size else { return [] }
        let name = damage.segment.path.dropFirst(directory.utf8.count + 1)
        let place = try freeQuarantineName("\(name).from-\(damage.offset)", directory: directory, fileSystem: fileSystem)
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 64)
        defer { buffer.deallocate() }
        try system { () throws(SystemError) in
            let source = try fileSystem.openAppending(damage.segment.path)
            let copy = try fileSystem.createFile(place)
            var offset = damage.offset
            while offset < size {
                let count = try source.readAll(into: buffer, at: offset)
                if count == 0 { break }
                try copy.writeAll(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
                offset += UInt64(count)
            }
            try copy.sync()
            try copy.close()
            try fileSystem.syncDirectory("\(directory)/quarantine")
            try source.truncate(to: damage.offset)
            try source.sync()
            try source.close()
        }
        return [place]
    }

    /// Newest first: what is left after a crash between is still damaged where it was.
    private static func moveAside(
        _ names: [String], directory: String, fileSystem: any FileSystem
    ) throws(PersistenceError) -> [String] {
        var places: [String] = []
        for name in names.reversed() {
            let place = try freeQuarantineName(name, directory: directory, fileSystem: fileSystem)
            try system { () throws(SystemError) in
                try fileSystem.renameExclusive("\(directory)/\(name)", to: place)
                try fileSystem.syncDirectory("\(directory)/quarantine")
                try fileSystem.syncDirectory(directory)
            }
            places.append(place)
        }
        return places.reversed()
    }

    private static func freeQuarantineName(
        _ name: String, directory: String, fileSystem: any FileSystem
    ) throws(PersistenceError) -> String {
        let quarantine = "\(directory)/quarantine"
        try fileSystem.createDurably(directory: quarantine)
        let taken = try system { () throws(SystemError) in Set(try fileSystem.list(quarantine)) }
        let candidates = [name] + (2...).lazy.prefix(taken.count + 1).map { "\(name).\($0)" }
        return "\(quarantine)/\(candidates.first { !taken.contains($0) } ?? name)"
    }

    /// What a segment with a bad header, or behind one, still shows. Of one with a bad header the name tells id and first number.
    private static func recognisable(
        _ name: String, directory: String, fileSystem: any FileSystem
    ) throws(PersistenceError) -> JournalSegmentCursor.Rest {
        guard let named = JournalName.parseSegment(name) else { return JournalSegmentCursor.Rest() }
        let path = "\(directory)/\(name)"
        let size = try system { () throws(SystemError) in try fileSystem.openFile(path).size() }
        let header = JournalSegmentHeader(
            id: named.id, firstNumber: named.number, firstPosition: 1, durableThrough: named.number - 1, configuration: [])
        var segment = JournalSegment(path: path, header: header, size: size)
        do throws(PersistenceError) {
            segment = try JournalSegment(path, name: name, fileSystem: fileSystem)
        } catch .damaged {
        }
        var rest = try JournalSegmentCursor(segment, fileSystem: fileSystem).searchRest()
        rest.add(before: segment.header)
        return rest
    }
}

extension JournalSegmentCursor.Rest {
    fileprivate mutating func add(_ other: Self) {
        lastNumber = max(lastNumber, other.lastNumber)
        lastPosition = max(lastPosition, other.lastPosition)
    }

    /// A segment's header says where the records before it ended.
    fileprivate mutating func add(before header: JournalSegmentHeader) {
        lastNumber = max(lastNumber, header.firstNumber - 1)
        lastPosition = max(lastPosition, header.firstPosition - 1)
    }
}
