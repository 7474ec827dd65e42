import Foundation
import LinuxSystem
import StreamTools
import Testing

@Suite("Data sets")
struct DatasetTests {
    let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    @Test("RecBole's header with types, ids canonical", arguments: ["a.inter", "a.tsv", "a.tsv.gz", "noname"])
    func recbole(name: String) throws {
        let path = try folder.file(name, "user_id:token\titem_id:token\trating:float\ttimestamp:float\n196\t242\t3\t881250949\nu7\t007\t4.5\t881250950.5\n")
        #expect(try events(path) == [
            DatasetEvent(user: .integer(196), item: .integer(242), value: 3, timeMilliseconds: 881_250_949_000),
            DatasetEvent(user: .text("u7"), item: .text("007"), value: 4.5, timeMilliseconds: 881_250_950_500),
        ])
    }

    @Test("MovieLens: u.data, ratings.dat, ratings.csv", arguments: [
        ("u.data", "1\t2\t3\t881250949\n4\t5\t1\t881250950\n"),
        ("ratings.dat", "1::2::3::881250949\n4::5::1::881250950\n"),
        ("ratings.csv", "userId,movieId,rating,timestamp\r\n1,2,3.0,881250949\r\n4,5,1.0,881250950"),
        ("ratings.csv.gz", "\u{FEFF}userId,movieId,rating,timestamp\n1,2,3.0,881250949\n\n4,5,1.0,881250950\n"),
    ])
    func movieLens(name: String, text: String) throws {
        let path = try folder.file(name, text)
        #expect(try events(path, DatasetOptions(type: "rating")) == [
            DatasetEvent(user: .integer(1), item: .integer(2), type: "rating", value: 3, timeMilliseconds: 881_250_949_000),
            DatasetEvent(user: .integer(4), item: .integer(5), type: "rating", value: 1, timeMilliseconds: 881_250_950_000),
        ])
    }

    @Test("csv: quotes, commas, doubled quotes and line ends in fields; named columns and context")
    func quoted() throws {
        let path = try folder.file("a.csv", #"""
            when,visitor,page,hour,kind,extra
            2024-02-29T12:00:00+02:00,"Doe, Jane","say ""hi""",13,view,"two
            lines"
            2024-03-01,bob,"",,buy,
            2024-03-01 10:00:00,bob,"x",,buy,
            """#)
        let options = DatasetOptions(
            userColumn: "visitor", itemColumn: "page", timeColumn: "when", typeColumn: "kind", contextColumns: ["hour"])
        let reader = try DatasetReader(path: path, options: options)
        #expect(try reader.next() == .event(DatasetEvent(
            user: .text("Doe, Jane"), item: .text("say \"hi\""), type: "view", timeMilliseconds: 1_709_200_800_000,
            context: [ContextPair(field: "hour", value: .integer(13))])))
        #expect(throws: StreamToolsError.malformedLine(
            path: path, line: 4, reason: "the item is empty, not UTF-8 or over 1024 bytes")) { _ = try reader.next() }
        // The reader goes on behind a bad line.
        #expect(try reader.next() == .event(DatasetEvent(
            user: .text("bob"), item: .text("x"), type: "buy", timeMilliseconds: 1_709_287_200_000)))
        #expect(try reader.next() == nil)
    }

    @Test("A stream of positives without value and time")
    func pairs() throws {
        let path = try folder.file("s.tsv", "user\titem\n5\t6\n7\t8\n")
        #expect(try events(path) == [
            DatasetEvent(user: .integer(5), item: .integer(6)), DatasetEvent(user: .integer(7), item: .integer(8)),
        ])
    }

    @Test("Bad lines name file, line and reason", arguments: [
        ("a.tsv", "user\titem\trating\n1\t2\t3\n1\t2\tgood\n", 3, "\"good\""),
        ("a.tsv", "user\titem\trating\n1\t2\t3\n1\t2\tnan\n", 3, "finite"),
        ("a.tsv", "user\titem\trating\n1\t2\n", 2, "2 fields"),
        ("a.tsv", "user\titem\ttime\n1\t2\tyesterday\n", 2, "yesterday"),
        ("a.csv", "user,item\n\"1,2\n3,4\n", 2, "never closed"),
        ("a.csv", "user,item\n\"1\"x,2\n", 2, "closing quotation mark"),
        ("a.csv", "user,item,weight\n1,2,-1\n", 2, "negative"),
        ("u.data", "1\t2\t3\t881250949\n\t2\t3\t881250949\n", 2, "user"),
        ("a.jsonl", "{\"user\":1,\"item\":2}\nuser=1\n", 2, "JSON object"),
    ])
    func badLines(name: String, text: String, line: Int, reason: String) throws {
        let path = try folder.file(name, text)
        guard case .malformedLine(let file, let number, let why)? = failure(path) else {
            Issue.record("\(String(describing: failure(path)))")
            return
        }
        #expect(file == path)
        #expect(number == line)
        #expect(why.contains(reason))
    }

    @Test("Files whose form cannot be told say what to do", arguments: [
        ("a.tsv", "visitor\tpage\nx\ty\n", "--user-column"), ("a.txt", "hello\n", "--input-format"),
        ("a.json", "[{\"user\":1}]", "one object a line"), ("empty.csv", "", "empty"),
        ("a.csv", "user_id,page\n1,2\n", "--item-column"),
    ])
    func unknown(name: String, text: String, hint: String) throws {
        let path = try folder.file(name, text)
        guard case .unknownFormat(path, let reason)? = failure(path) else {
            Issue.record("\(String(describing: failure(path)))")
            return
        }
        #expect(reason.contains(hint))
    }

    @Test("Missing files and cut compressed files are reported, never taken for the end")
    func damaged() throws {
        guard case .system(let error)? = failure(folder.path + "/none.csv") else {
            Issue.record("no error for a missing file")
            return
        }
        #expect(error.subject.hasSuffix("none.csv"))

        let rows = (0..<5000).map { "\($0 * 7919 % 4999)\t\($0 * 104_729 % 997)\t3\t\(881_250_949 + $0)\n" }.joined()
        let whole = try folder.file("whole.tsv.gz", "user\titem\trating\ttime\n" + rows)
        #expect(try events(whole).count == 5000)
        let bytes = try Data(contentsOf: URL(fileURLWithPath: whole))
        for part in [0.3, 0.6, 0.95] {
            // Named without `.gz`, for the helper would compress it again; zlib looks at the bytes.
            let cut = try folder.file("cut.tsv", Array(bytes.prefix(Int(Double(bytes.count) * part))))
            guard case .damagedFile? = failure(cut) else {
                Issue.record("cut at \(part): \(String(describing: failure(cut)))")
                continue
            }
        }
    }

    @Test("Lines longer than the buffer, up to the limit")
    func longLines() throws {
        let long = String(repeating: "x", count: 300_000)
        let path = try folder.file("a.csv", "user,item,note\n1,2,\(long)\n3,4,\n")
        #expect(try events(path).map(\.user) == [.integer(1), .integer(3)])
        let endless = try folder.file("b.csv", "user,item,note\n1,2,\"" + String(repeating: "y\n", count: 2_200_000))
        guard case .malformedLine? = failure(endless) else {
            Issue.record("an endless line was taken")
            return
        }
    }

    @Test("Time order is stable; it needs times", arguments: ["file.tsv", "file.jsonl"])
    func timeOrder(name: String) throws {
        let times = [5, 3, 5, 1, 3, 3].map { 900_000_000 + $0 }
        let text = name.hasSuffix("tsv")
            ? "user\titem\ttime\n" + times.enumerated().map { "\($0)\t1\t\($1)\n" }.joined()
            : times.enumerated().map { "{\"user\":\($0),\"item\":1,\"time\":\($1)}\n" }.joined()
        let path = try folder.file(name, text)
        let users = try records(path, DatasetOptions(order: .time)).map { record in
            switch record {
            case .event(let event): event.user.description
            case .json(let line): String(decoding: line, as: UTF8.self).dropFirst(8).prefix(1).description
            }
        }
        #expect(users == ["3", "1", "4", "5", "0", "2"])

        let without = try folder.file("none.tsv", "user\titem\n1\t2\n")
        guard case .malformedLine(_, 2, let reason)? = failure(without, DatasetOptions(order: .time)) else {
            Issue.record("sorted without times")
            return
        }
        #expect(reason.contains("time"))
    }

    @Test("JSON lines are passed on byte for byte")
    func jsonLines() throws {
        let lines = ["{\"user\":1,\"item\":\"é\",\"more\":[1,2]}", "  {\"hide\":{\"item\":\"a\"}}"]
        let path = try folder.file("a.jsonl.gz", lines.joined(separator: "\n\n") + "\n")
        #expect(try records(path) == lines.map { .json(Array($0.utf8)) })
    }

    @Test("Item files: RecBole, csv with quotes, movies.dat in Latin-1")
    func catalogue() throws {
        let recbole = try ItemCatalogue.read(path: folder.file(
            "i.tsv.gz", "item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq\n1\tToy Story\t1995\tAnimation Children's\n"))
        #expect(recbole.entries[.integer(1)] == ItemCatalogue.Entry(title: "Toy Story", attributes: [
            ItemCatalogue.Attribute(field: "release_year", values: [.integer(1995)]),
            ItemCatalogue.Attribute(field: "class", values: [.text("Animation"), .text("Children's")]),
        ]))
        let csv = try ItemCatalogue.read(path: folder.file(
            "movies.csv", "movieId,title,genres\n11,\"American President, The (1995)\",Comedy|Drama\n"))
        #expect(csv.entries[.integer(11)] == ItemCatalogue.Entry(title: "American President, The (1995)", attributes: [
            ItemCatalogue.Attribute(field: "genres", values: [.text("Comedy"), .text("Drama")])
        ]))
        let latin = try ItemCatalogue.read(path: folder.file(
            "movies.dat", Array("1::Caf".utf8) + [0xE9] + Array(" (1995)::Drama\n".utf8)))
        #expect(latin.title(of: .integer(1)) == "Café (1995)")
        // What is written reads back.
        let again = try ItemCatalogue.read(path: folder.file("again.tsv", csv.tabSeparated()))
        #expect(again.entries == csv.entries)
    }

    @Test("MovieLens 100K as it stands and in time order", .enabled(if: dataFolder != nil, "FACTORD_DATA is not there"))
    func movieLens100K() throws {
        let path = try #require(dataFolder) + "/ml-100k.inter.tsv.gz"
        let plain = try events(path)
        #expect(plain.count == 100_000)
        #expect(plain[0] == DatasetEvent(user: .integer(196), item: .integer(242), value: 3, timeMilliseconds: 881_250_949_000))
        let sorted = try events(path, DatasetOptions(order: .time))
        #expect(sorted == plain.enumerated().sorted { ($0.element.timeMilliseconds!, $0.offset) < ($1.element.timeMilliseconds!, $1.offset) }.map(\.element))
        let catalogue = try ItemCatalogue.read(path: #require(dataFolder) + "/ml-100k.item.tsv.gz")
        #expect(catalogue.ids.count == 1682)
        #expect(catalogue.title(of: .integer(1)) == "Toy Story")
    }
}
