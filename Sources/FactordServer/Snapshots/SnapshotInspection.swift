import Factorization
import LinuxSystem
public import Persistence

/// The snapshots of a state directory as a person looks at them, whether a daemon runs there or not: nothing is locked or written.
public struct SnapshotInspection {
    /// One snapshot, by what its header and index say.
    public struct Summary: Sendable {
        public var file: String
        public var bytes: UInt64
        /// Where the stream goes on, and the highest position that it holds something of.
        public var position: UInt64
        public var highest: UInt64
        public var sections: Int
        public var pieces: Int
        /// Why it cannot be used; nil where nothing is known against it.
        public var fault: String?
    }

    /// Sections of one kind, such as the factors of a model's users.
    public struct Part: Sendable, Equatable {
        public var name: String
        public var sections: Int
        public var bytes: UInt64
    }

    /// How a part of two snapshots differs.
    public struct Difference: Sendable, Equatable {
        public var name: String
        public var sections: Int
        /// Sections whose bytes differ, that have another length, and that only one of the two has.
        public var changed: Int
        public var resized: Int
        public var lone: Int
        /// The greatest change of a factor, over sections of equal length; nil for parts that are no factors.
        public var largestChange: Float?
    }

    private let directory: String
    private let progress: ReadProgress

    /// - Parameters:
    ///   - state: the state directory.
    ///   - progress: called while a snapshot's bytes are read.
    public init(state: String, progress: @escaping ReadProgress = { _, _ in }) {
        directory = "\(state)/snapshots"
        self.progress = progress
    }

    /// The snapshots, newest first. Only header and index are checked.
    public func list() throws -> [Summary] {
        try Directory.list(directory).compactMap(SnapshotName.init(fileName:)).sorted(by: >).map { summary($0.fileName) }
    }

    private func summary(_ file: String) -> Summary {
        do {
            return try SnapshotInspection.summary(try open(file), file)
        } catch {
            return Summary(file: file, bytes: 0, position: 0, highest: 0, sections: 0, pieces: 0, fault: "\(error)")
        }
    }

    private static func summary(_ reader: SnapshotReader, _ file: String) throws -> Summary {
        let pieces = try reader.whole(StatePieces.section).withUnsafeBytes { bytes throws(StateError) in try StatePieces(bytes) }
        return Summary(
            file: file, bytes: reader.size, position: reader.header.position, highest: pieces.highest, sections: reader.sections.count,
            pieces: pieces.pieces, fault: nil)
    }

    /// Opens a snapshot by its file's name, its path, or its place in `list` (`1` is the newest).
    private func open(_ name: String) throws -> SnapshotReader {
        if let place = Int(name) {
            let files = try Directory.list(directory).compactMap(SnapshotName.init(fileName:)).sorted(by: >)
            guard files.indices.contains(place - 1) else { throw InspectionError.unknown(place: place, count: files.count, directory: directory) }
            return try SnapshotReader("\(directory)/\(files[place - 1].fileName)")
        }
        return try SnapshotReader(name.contains("/") ? name : "\(directory)/\(name)")
    }

    /// Checks every byte of a snapshot; answers what it is made of.
    /// - Throws: what is wrong with it.
    public func verify(_ name: String) throws -> (summary: Summary, parts: [Part]) {
        let reader = try open(name)
        SnapshotReader.report([reader], to: progress)
        try reader.verifyAll()
        let file = String(reader.path.split(separator: "/").last ?? "")
        return (try SnapshotInspection.summary(reader, file), SnapshotInspection.parts(reader))
    }

    private static func parts(_ reader: SnapshotReader) -> [Part] {
        var parts: [Part] = [], places: [String: Int] = [:]
        for section in reader.sections {
            let name = partName(section.name)
            if let place = places[name] {
                parts[place].sections += 1
                parts[place].bytes += section.length
            } else {
                places[name] = parts.count
                parts.append(Part(name: name, sections: 1, bytes: section.length))
            }
        }
        return parts
    }

    /// A section's name without the number of its piece.
    private static func partName(_ name: String) -> String {
        let parts = name.split(separator: "/")
        return parts.count > 1 && Int(parts[parts.count - 1]) != nil ? parts.dropLast().joined(separator: "/") : name
    }

    /// What differs between two snapshots, part by part; parts without a difference are left out.
    public func difference(_ first: String, _ second: String) throws -> (first: Summary, second: Summary, parts: [Difference]) {
        let a = try open(first), b = try open(second)
        SnapshotReader.report([a, b], to: progress)
        var parts: [Difference] = [], places: [String: Int] = [:]
        func place(_ section: String) -> Int {
            let name = SnapshotInspection.partName(section)
            if let place = places[name] { return place }
            places[name] = parts.count
            parts.append(Difference(name: name, sections: 0, changed: 0, resized: 0, lone: 0, largestChange: holdsFactors(name) ? 0 : nil))
            return parts.count - 1
        }
        let others = Dictionary(b.sections.map { ($0.name, $0.length) }) { first, _ in first }
        for section in a.sections {
            let part = place(section.name)
            parts[part].sections += 1
            guard let length = others[section.name] else {
                parts[part].lone += 1
                continue
            }
            guard length == section.length else {
                parts[part].resized += 1
                continue
            }
            let mine = try a.whole(section.name), theirs = try b.whole(section.name)
            guard mine != theirs else { continue }
            parts[part].changed += 1
            if let largest = parts[part].largestChange { parts[part].largestChange = max(largest, SnapshotInspection.largestChange(mine, theirs, isHalf: section.name.contains("/bfloats/"))) }
        }
        let known = Set(a.sections.map(\.name))
        for section in b.sections where !known.contains(section.name) {
            let part = place(section.name)
            parts[part].sections += 1
            parts[part].lone += 1
        }
        return (
            try SnapshotInspection.summary(a, first), try SnapshotInspection.summary(b, second),
            parts.filter { $0.changed + $0.resized + $0.lone > 0 }
        )
    }

    /// Whether a part is numbers that models compute with: floats, or their upper halves (`storage: bfloat16`).
    private func holdsFactors(_ part: String) -> Bool { part.hasSuffix("/factors") || part.hasSuffix("/bfloats") }

    private static func largestChange(_ a: [UInt8], _ b: [UInt8], isHalf: Bool) -> Float {
        let size = isHalf ? 2 : 4
        func number(_ bytes: UnsafeRawBufferPointer, _ offset: Int) -> Float {
            isHalf
                ? Float(bitPattern: UInt32(bytes.loadUnaligned(fromByteOffset: offset, as: UInt16.self)) << 16)
                : bytes.loadUnaligned(fromByteOffset: offset, as: Float.self)
        }
        return a.withUnsafeBytes { a in
            b.withUnsafeBytes { b in
                stride(from: 0, to: a.count / size * size, by: size).reduce(0) { max($0, abs(number(a, $1) - number(b, $1))) }
            }
        }
    }
}

/// A snapshot that was asked for and is not there.
enum InspectionError: Error, CustomStringConvertible {
    case unknown(place: Int, count: Int, directory: String)

    var description: String {
        switch self {
        case .unknown(let place, let count, let directory): "\(directory): there is no snapshot \(place), but \(count); `factorctl snapshot list` shows them"
        }
    }
}

extension SnapshotReader {
    /// Reports what is read of some snapshots together.
    static func report(_ readers: [SnapshotReader], to progress: @escaping ReadProgress) {
        let total = readers.reduce(0) { $0 + $1.size }
        var read: UInt64 = 0
        for reader in readers {
            reader.afterBlock = { bytes in
                read += UInt64(bytes)
                progress(read, total)
            }
        }
    }

    /// The bytes of a section, all checked.
    fileprivate func whole(_ name: String) throws(PersistenceError) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(Int(section(name)?.length ?? 0))
        try read(name) { bytes += $0 }
        return bytes
    }
}
