import CKernels

/// A copy of all that an engine knows, cut into named sections: what a snapshot file holds and a start takes up.
///
/// Sections are pieces of bounded size (a few MiB), so that writing streams them and loading holds one at a time. The
/// engine fills an image while trainers stand still; the image then belongs to the thread that writes it out.
///
/// | section | bytes |
/// |---|---|
/// | `counts` | position u64, users u64, items u64, contexts u64, user attributes u64, item attributes u64, models u64 |
/// | `types`, `fields` | count u32, then per name: length u32, bytes |
/// | `ids/SIDE/N` | ordinals N·65,536…: per id: tag u8 (0 none, and nothing follows; 1 integer, 2 text), namespace u16, hidden u8, last seen u16, frequency f32 (in units of the decay's base), then i64, or length u16 and bytes |
/// | `sizes/SIDE/N` | users or items N·65,536…: per id u8: 0 for no list of attributes, else n for one that may take 8·2ⁿ bytes; absent in images from before lists were counted |
/// | `rows` | records u64, evicted u64; quarantine: end, records then, last round u64, done, urgent u8; per side: hands u32, u32, credit u64, free rows; rows waiting, resting, under sweep, its users, steps, steps done u64; sightings: bytes u64, count u64. Rows: count u32, then count × (side u8, ordinal u32) |
/// | `answering` | position of the last promotion u64; the name of the model that answers by default |
/// | `sightings/N` | counters, 4 MiB a section |
/// | `popularity` | increment f64: what an interaction counts at the image's position |
/// | `recent` | the window of recent items: step u64, interactions counted u64, count u32, then count × item u32, oldest first (2³² − 1 for none); absent in images from before there was one |
/// | `newest` | items admitted last: count u32, then count × (item u32, position u64), oldest first; absent like `recent` |
/// | `negatives`, `negatives/N` | next build after position u64, items u64; items N·65,536…: frequency f32 that the tables were built from |
/// | `history/FIRST` | users of a piece from FIRST on: per user: size of the block u32; unless 0: count u32, then count × item u32, oldest first |
/// | `seen/FIRST` | the same users: per user: complete u8, size of the block u32; unless 0: count u32, then count × item u32, ascending |
/// | `attributes/SIDE/FIRST` | users or items of a piece: per entity: count u32, then count × (attribute u32, x f32) |
/// | `replay`, `replay/SHARD` | places of a shard u64, 0 for none; offered u64, count u32, then count × (user u32, item u32, label f32, weight f32, type u16) |
/// | `model/NAME/stamped` | per group of rows u8: 1 where it has stamps |
/// | `model/NAME/GROUP/STORE/FIRST` | raw rows of the blocks (`RowBlock`) of a piece, of which FIRST is the first |
/// | `model/NAME/GROUP/sums/FIRST` | users and items: the sum of each block u64 (`Witness`) |
/// | `model/NAME/global` | bias f32, accumulator f32, steps u32, rank u32, then kind, optimizer, weights, sparse factors, unobserved, history and the kind's own settings each as length u32 and bytes |
/// | `model/NAME/parameters` | kinds with global parameters: count u32, count × value f32, count × accumulator f32, per block a row's state |
/// | `model/NAME/gram` | models with the interaction regulariser: cursor u32, then three width × width matrices of f32 |
/// | `model/NAME/prequential` | trainers u32, then per trainer: 8 sums f64, lowest and highest label f32, drift alarm: 4 × f64, 2 × u32, alarms u64, last position u64 |
/// | `model/NAME/window` | for each of these trainers: calibration 4 × f64, marks u32, then for each mark 6 × f64; absent in images from before there was one |
/// | `model/NAME/parts` | for each of these trainers: seven of the sums, all but the events, and the alarm's sum of losses, 4 × f64 each (`fk_tally`); absent in images from before sums had parts |
/// | `model/NAME/comparison` | where the model is compared: length u32, measure and the other's name; trainers u32, then for each: events u64, sum of differences and of squares f64, lowest and highest label f32 |
/// | `model/NAME/late` | trainers that learn in runs u32, then for each: w0 as its next event sees it, three changes that wait, its accumulator, and both as left in the model, f32 |
/// | `pieces`, `watermarks` | where each piece stands: `PieceTable` |
///
/// All numbers are little-endian.
public struct StateImage: ~Copyable {
    /// A section's name and its place in the image's memory.
    public struct Section: @unchecked Sendable {  // the memory is written before the image is handed on
        public var name: String
        var start: UnsafeRawPointer
        public var count: Int
    }

    public private(set) var sections: [Section] = []
    private var chunks: [(memory: UnsafeMutableRawPointer, bytes: Int)] = []
    private var used = 0
    private static let chunkBytes = 8 << 20
    /// The position up to which every event is in the image.
    public internal(set) var position: UInt64 = 0

    public init() {}

    deinit { for chunk in chunks { fk_unmap(chunk.memory, chunk.bytes) } }

    /// Bytes of all sections.
    public var byteCount: Int { sections.reduce(0) { $0 + $1.count } }

    /// The bytes of a section; valid while the image lives.
    public borrowing func bytes(_ section: Section) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: section.start, count: section.count)
    }

    /// Space for a section of known size.
    mutating func add(_ name: String, count: Int) -> UnsafeMutableRawBufferPointer {
        if chunks.isEmpty || used + count > chunks[chunks.count - 1].bytes {
            let bytes = max(count, StateImage.chunkBytes)
            let memory = mapMemory(bytes)
            chunks.append((memory, bytes))
            used = 0
        }
        let start = chunks[chunks.count - 1].memory + used
        used += (count + 63) & ~63
        sections.append(Section(name: name, start: start, count: count))
        return UnsafeMutableRawBufferPointer(start: start, count: count)
    }

    mutating func add(_ name: String, _ bytes: UnsafeRawBufferPointer) {
        let space = add(name, count: bytes.count)
        space.copyBytes(from: bytes)
    }
}

/// Why a saved state cannot be taken up.
public enum StateError: Error, Equatable, CustomStringConvertible {
    /// A section that must be there is not.
    case missing(section: String)
    /// A section's bytes do not say what they should.
    case damaged(section: String)
    /// The state was saved with another setting that cannot change while it lives.
    case changed(key: String, saved: String, now: String)

    public var description: String {
        switch self {
        case .missing(let section): "section \(section) is missing"
        case .damaged(let section): "section \(section) does not have the form it should"
        case .changed(let key, let saved, let now):
            "\(key) was \(saved) when the state was saved and is \(now) now; set the state directory aside to start anew, or set it back"
        }
    }
}

/// Little-endian writing of small sections.
struct ByteWriter {
    var bytes: [UInt8] = []

    mutating func put<Value: FixedWidthInteger>(_ value: Value) {
        withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }
    mutating func put(_ value: Float) { put(value.bitPattern) }
    mutating func put(_ raw: some Sequence<UInt8>) { bytes.append(contentsOf: raw) }
}

/// Little-endian reading with bounds; every read past the end says which section is damaged.
struct ByteReader {
    let section: String
    private let bytes: UnsafeRawBufferPointer
    private var offset = 0

    init(_ bytes: UnsafeRawBufferPointer, section: String) {
        self.bytes = bytes
        self.section = section
    }

    mutating func get<Value: FixedWidthInteger>(_ type: Value.Type = Value.self) throws(StateError) -> Value {
        let raw = try getBytes(MemoryLayout<Value>.size)
        return Value(littleEndian: raw.loadUnaligned(as: Value.self))
    }
    mutating func getFloat() throws(StateError) -> Float { Float(bitPattern: try get(UInt32.self)) }
    mutating func getBytes(_ count: Int) throws(StateError) -> UnsafeRawBufferPointer {
        guard count >= 0, count <= bytes.count - offset else { throw .damaged(section: section) }
        defer { offset += count }
        return UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + count])
    }
    /// Nothing may follow.
    func expectEnd() throws(StateError) { if offset != bytes.count { throw .damaged(section: section) } }
}
