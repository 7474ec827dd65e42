import LinuxSystem

/// An array of numpy's `.npy` files: one or two dimensions of floats.
///
/// Reads versions 1 to 3, `<f4`, `<f8` and little-endian integers, in C and Fortran order; writes version 1, `<f4`, C order. The file
/// is held in memory whole.
public struct NumpyArray: Sendable, Equatable {
    /// Rows and columns; one column for an array of one dimension.
    public let rows: Int
    public let columns: Int
    /// Dimensions of the file: 1 or 2.
    public let dimensions: Int
    /// Row after row.
    public let values: [Float]

    public init(rows: Int, columns: Int, values: [Float]) {
        precondition(values.count == rows * columns, "an array has rows × columns values")
        (self.rows, self.columns, self.values, dimensions) = (rows, columns, values, 2)
    }

    /// One dimension.
    public init(_ values: [Float]) { (rows, columns, self.values, dimensions) = (values.count, 1, values, 1) }

    public func row(_ number: Int) -> ArraySlice<Float> { values[number * columns..<(number + 1) * columns] }

    private static let magic: [UInt8] = [0x93] + Array("NUMPY".utf8)

    // MARK: Reading

    public init(path: String) throws(StreamToolsError) {
        func fault(_ reason: String) -> StreamToolsError { .unknownFormat(path: path, reason: reason) }
        let bytes = try NumpyArray.bytes(path)
        guard bytes.count >= 12, bytes.starts(with: NumpyArray.magic) else { throw fault("no .npy file") }
        let isLong = bytes[6] >= 2, start = isLong ? 12 : 10
        let length = Int(bytes[8]) | Int(bytes[9]) << 8 | (isLong ? Int(bytes[10]) << 16 | Int(bytes[11]) << 24 : 0)
        guard (1...3).contains(bytes[6]), bytes.count >= start + length else { throw fault("version \(bytes[6]) of .npy, or cut short") }
        let header = String(decoding: bytes[start..<start + length], as: UTF8.self)
        guard let type = NumpyArray.word(after: "'descr'", in: header), let order = NumpyArray.word(after: "'fortran_order'", in: header),
            let shape = NumpyArray.shape(header)
        else { throw fault("the header is not understood: \(header.prefix(200))") }
        guard (1...2).contains(shape.count), shape.allSatisfy({ $0 >= 0 && $0 < 1 << 40 }) else { throw fault("\(shape.count) dimensions; 1 or 2 are read") }
        let rows = shape[0], columns = shape.count == 2 ? shape[1] : 1
        guard let size = ["<f4": 4, "<f8": 8, "<i4": 4, "<i8": 8][type] else {
            throw fault("values of type \(type); save them as float32: numpy.save(path, array.astype(\"<f4\"))")
        }
        guard bytes.count - start - length == rows * columns * size else { throw fault("\(rows) × \(columns) values of \(size) bytes are promised, and not there") }
        let place = start + length
        let flat = bytes.withUnsafeBytes { raw in
            (0..<rows * columns).map { index -> Float in
                let offset = place + index * size
                switch type {
                case "<f4": return Float(bitPattern: UInt32(littleEndian: raw.loadUnaligned(fromByteOffset: offset, as: UInt32.self)))
                case "<f8": return Float(Double(bitPattern: UInt64(littleEndian: raw.loadUnaligned(fromByteOffset: offset, as: UInt64.self))))
                case "<i4": return Float(Int32(littleEndian: raw.loadUnaligned(fromByteOffset: offset, as: Int32.self)))
                default: return Float(Int64(littleEndian: raw.loadUnaligned(fromByteOffset: offset, as: Int64.self)))
                }
            }
        }
        (self.rows, self.columns, dimensions) = (rows, columns, shape.count)
        values = order == "True" && columns > 1 ? (0..<rows * columns).map { flat[$0 % columns * rows + $0 / columns] } : flat
    }

    private static func bytes(_ path: String) throws(StreamToolsError) -> [UInt8] {
        do throws(SystemError) {
            let file = try File(path, .read), size = Int(try file.size())
            var bytes = [UInt8](repeating: 0, count: size), read = 0
            while read < size {
                let offset = read
                let outcome = bytes.withUnsafeMutableBytes { raw in
                    Result { () throws(SystemError) in
                        try file.read(into: UnsafeMutableRawBufferPointer(rebasing: raw[offset...]), at: UInt64(offset))
                    }
                }
                let count = try outcome.get()
                if count == 0 { break }
                read += count
            }
            return Array(bytes.prefix(read))
        } catch {
            throw .system(error)
        }
    }

    /// The value behind a key of the header's dictionary: `'<f4'`, `True`.
    private static func word(after key: String, in header: String) -> String? {
        guard let range = header.firstRange(of: key) else { return nil }
        let rest = header[range.upperBound...].drop { $0 == ":" || $0 == " " }
        if rest.first == "'" { return String(rest.dropFirst().prefix { $0 != "'" }) }
        return String(rest.prefix { $0 != "," && $0 != "}" && $0 != " " })
    }

    private static func shape(_ header: String) -> [Int]? {
        guard let range = header.firstRange(of: "'shape'"), let open = header[range.upperBound...].firstIndex(of: "(") else { return nil }
        let inside = header[open...].dropFirst().prefix { $0 != ")" }
        return inside.split(separator: ",").compactMap { part in Int(part.filter { $0 != " " && $0 != "L" }) }
    }

    // MARK: Writing

    public func write(to path: String) throws(StreamToolsError) {
        let shape = dimensions == 1 ? "(\(rows),)" : "(\(rows), \(columns))"
        var header = "{'descr': '<f4', 'fortran_order': False, 'shape': \(shape), }"
        // Values begin at a multiple of 64.
        header += String(repeating: " ", count: 63 - (10 + header.utf8.count) % 64) + "\n"
        var bytes = NumpyArray.magic + [1, 0, UInt8(header.utf8.count & 0xFF), UInt8(header.utf8.count >> 8)] + Array(header.utf8)
        bytes.reserveCapacity(bytes.count + 4 * values.count)
        for value in values { withUnsafeBytes(of: value.bitPattern.littleEndian) { bytes.append(contentsOf: $0) } }
        try TextFile.write(bytes: bytes, to: path)
    }
}
