import Foundation
import Testing

@testable import StreamTools

/// Events and factors in other programs' forms, and back.
@Suite("Formats of other programs")
struct ExchangeTests {
    private let folder: String

    init() throws {
        folder = NSTemporaryDirectory() + "exchange-\(UUID().uuidString.prefix(8))"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    }

    private func read(_ path: String, _ options: DatasetOptions = DatasetOptions()) throws -> [DatasetEvent] {
        try PrequentialEvaluation.records(path: path, options: options).map {
            guard case .event(let event) = $0 else { throw Failure() }
            return event
        }
    }
    private struct Failure: Error {}

    /// Ids of both kinds with what formats give a meaning, values, weights, types, times and context.
    private let events = [
        DatasetEvent(user: .integer(7), item: .text("a b:c|d%#"), type: "buy it", value: 4.5, weight: 2, timeMilliseconds: 1_700_000_000_123, context: [
            ContextPair(field: "hour", value: .integer(13)), ContextPair(field: "genre", value: .text("sci fi")), ContextPair(field: "genre", value: .text("war"), weight: 0.5),
        ]),
        DatasetEvent(user: .text("ä\"n,n"), item: .integer(-3), value: -0.25, timeMilliseconds: 1_700_000_100_000, context: [ContextPair(field: "hour", value: .integer(13))]),
        DatasetEvent(user: .integer(7), item: .integer(7), value: 1e-5, timeMilliseconds: 1_700_000_200_000),
    ]

    @Test("JSON lines hold everything")
    func jsonLines() throws {
        let path = folder + "/events.jsonl"
        #expect(try ExportFormat.jsonl.write(events, to: path).isEmpty)
        #expect(try read(path) == events)
        #expect(try String(contentsOfFile: path, encoding: .utf8).contains(#""genre":{"sci fi":1.0,"war":0.5}"#))
    }

    @Test("libFM, LIBSVM and LIBFFM with their names: ids, values, context with weights", arguments: [ExportFormat.libfm, .libsvm, .libffm])
    func numbered(_ format: ExportFormat) throws {
        let path = "\(folder)/events.\(format.rawValue)", names = folder + "/names"
        #expect(try format.write(events, to: path, names: names) == ["times", "weights", "types"])
        var options = DatasetOptions()
        options.names = try FeatureNames(path: names)
        let wanted = events.map { DatasetEvent(user: $0.user, item: $0.item, value: $0.value, context: $0.context) }
        #expect(try read(path, options) == wanted)
        // Numbers rise along each line, from 1 in LIBSVM; users come first, then items.
        let lines = try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n")
        let numbers = lines.map { $0.split(separator: " ").dropFirst().map { Int($0.split(separator: ":").reversed()[1])! } }
        #expect(numbers.allSatisfy { $0 == $0.sorted() } && numbers[0][0] == (format == .libsvm ? 1 : 0))
        // Without names: the first two features are user and item.
        let plain = try read(path)
        #expect(plain.map(\.user) == numbers.map { .integer(Int64($0[0])) } && plain.map(\.item) == numbers.map { .integer(Int64($0[1])) })
        #expect(plain[0].context.count == 3 && plain[0].value == 4.5 && plain[0].context.last?.weight == 0.5)
    }

    @Test("Vowpal Wabbit: names, importance and types; what else its lines may hold")
    func wabbit() throws {
        let path = folder + "/events.vw"
        #expect(try ExportFormat.vw.write(events, to: path) == ["times"])
        #expect(try read(path) == events.map {
            DatasetEvent(user: $0.user, item: $0.item, type: $0.type, value: $0.value, weight: $0.weight, context: $0.context)
        })
        let line = try #require(try SparseFormat.vw.event("1 0.5 'tag|user:2 ann |item x |hour 13 |price p:9.5", names: nil))
        #expect(line == DatasetEvent(user: .text("ann"), item: .text("x"), value: 1, weight: 0.5, context: [
            ContextPair(field: "hour", value: .integer(13)), ContextPair(field: "price", value: .text("p"), weight: 9.5),
        ]))
    }

    @Test("CSV and MovieLens' three forms")
    func tables() throws {
        let simple = events.map { DatasetEvent(user: $0.user, item: $0.item, type: $0.type, value: $0.value, weight: $0.weight, timeMilliseconds: $0.timeMilliseconds, context: $0.context.filter { $0.field == "hour" }) }
        let csv = folder + "/events.csv"
        #expect(try ExportFormat.csv.write(simple, to: csv).isEmpty)
        #expect(try read(csv, DatasetOptions(contextColumns: ["hour"])) == simple)
        let ratings = events.dropFirst().map { DatasetEvent(user: .integer(2), item: $0.item, value: $0.value, timeMilliseconds: $0.timeMilliseconds) }
        for (format, name) in [(ExportFormat.udata, "u.data"), (.dat, "ratings.dat"), (.movielens, "ratings.csv")] {
            #expect(try format.write(Array(ratings), to: "\(folder)/\(name)").isEmpty)
            #expect(try read("\(folder)/\(name)") == Array(ratings), "\(name)")
        }
    }

    @Test("Faults in lines are named", arguments: [
        ("x.libfm", "one 1:1 2:1", "no finite number"), ("x.libfm", "1 1:1 2", "number:x"), ("x.ffm", "1 1:1 2:1", "field:number:x"),
        ("x.svm", "1 1:1", "a user and an item"), ("x.vw", "1 |user a", "|user and |item"), ("x.vw", "|user a |item b", "begins with a label"),
        ("x.vw", "1 |user a |item b:zero", "no number behind its colon"),
    ])
    func faults(_ name: String, _ line: String, _ reason: String) throws {
        let path = "\(folder)/\(name)"
        try (line + "\n").write(toFile: path, atomically: true, encoding: .utf8)
        #expect {
            _ = try read(path)
        } throws: { error in
            guard case StreamToolsError.malformedLine(path, 1, let said) = error else { return false }
            return said.contains(reason)
        }
    }

    // MARK: Factors

    @Test("numpy's arrays: what is written is read, in both orders, sizes and versions; damage is refused")
    func numpy() throws {
        let path = folder + "/a.npy", array = NumpyArray(rows: 3, columns: 2, values: [1, 2, 3, 4, 5, -0.5])
        try array.write(to: path)
        #expect(try NumpyArray(path: path) == array)
        let bytes = try Data(contentsOf: URL(fileURLWithPath: path))
        #expect(bytes.count % 64 == 24 % 64 && bytes.prefix(8) == Data([0x93] + Array("NUMPY".utf8) + [1, 0]))
        #expect(String(decoding: bytes, as: UTF8.self).contains("{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2), }"))
        func file(_ header: String, _ values: [Double], version: UInt8 = 1) -> Data {
            var data = Data([0x93] + Array("NUMPY".utf8) + [version, 0])
            data.append(contentsOf: version == 1 ? [UInt8(header.utf8.count), 0] : [UInt8(header.utf8.count), 0, 0, 0])
            data.append(Data(header.utf8))
            for value in values { withUnsafeBytes(of: value.bitPattern.littleEndian) { data.append(contentsOf: $0) } }
            return data
        }
        let url = URL(fileURLWithPath: path)
        for version in [UInt8(1), 2] {
            try file("{'descr': '<f8', 'fortran_order': True, 'shape': (3, 2), }\n", [1, 3, 5, 2, 4, -0.5], version: version).write(to: url)
            #expect(try NumpyArray(path: path) == array)
        }
        for bad in [Data("no array".utf8), bytes.dropLast(), file("{'descr': '<c8', 'fortran_order': True, 'shape': (1,), }\n", [1])] {
            try bad.write(to: url)
            #expect(throws: StreamToolsError.self) { try NumpyArray(path: path) }
        }
    }

    @Test("Factors with ids and weights as npy, text and word2vec", arguments: FactorFormat.allCases)
    func factors(_ format: FactorFormat) throws {
        let group = FactorGroup(
            name: "items", ids: [.integer(5), .text("a b\tc%"), .text("ö")], rank: 2, factors: [0.1, -2e-7, 3, 4, 1e20, 0], weights: [1, 0, -0.125])
        let files = try format.write(group, to: folder)
        #expect(FactorFormat(path: files[0]) == format)
        let back = try format.read(
            "items", path: files[0], ids: format == .npy ? folder + "/items.ids" : nil, weights: format == .text ? nil : folder + "/items.weights.npy")
        #expect(back == group)
        #expect(throws: StreamToolsError.self) { try format.read("items", path: files[0], weights: folder + "/nothing.npy") }
    }
}
