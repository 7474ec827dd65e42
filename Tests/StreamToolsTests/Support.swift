import CZlib
import Foundation
import StreamTools
import Testing

/// A folder for the files of one test, removed with it.
final class TemporaryFolder {
    let path: String

    init() throws {
        path = NSTemporaryDirectory() + "/factord-streamtools-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    /// Writes a file and answers its path; compressed where its name ends in `.gz`.
    func file(_ name: String, _ text: String) throws -> String { try file(name, Array(text.utf8)) }

    func file(_ name: String, _ bytes: [UInt8]) throws -> String {
        let file = path + "/" + name
        if name.hasSuffix(".gz") {
            let handle = try #require(gzopen(file, "wb"))
            #expect(gzwrite(handle, bytes, UInt32(bytes.count)) == Int32(bytes.count))
            #expect(gzclose(handle) == Z_OK)
        } else {
            try Data(bytes).write(to: URL(fileURLWithPath: file))
        }
        return file
    }
}

/// All events of a file.
func events(_ path: String, _ options: DatasetOptions = DatasetOptions()) throws -> [DatasetEvent] {
    try records(path, options).compactMap { if case .event(let event) = $0 { event } else { nil } }
}

func records(_ path: String, _ options: DatasetOptions = DatasetOptions()) throws -> [DatasetRecord] {
    let reader = try DatasetReader(path: path, options: options)
    var result: [DatasetRecord] = []
    while let record = try reader.next() { result.append(record) }
    return result
}

/// The error that reading a file ends with.
func failure(_ path: String, _ options: DatasetOptions = DatasetOptions()) -> StreamToolsError? {
    do {
        _ = try records(path, options)
        return nil
    } catch {
        return error as? StreamToolsError
    }
}

/// The folder of other people's data sets, or nil where there is none.
let dataFolder: String? = {
    let beside = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("../../../shared/data")
    let folder = ProcessInfo.processInfo.environment["FACTORD_DATA"] ?? beside.standardized.path
    return FileManager.default.fileExists(atPath: folder + "/ml-100k.inter.tsv.gz") ? folder : nil
}()
