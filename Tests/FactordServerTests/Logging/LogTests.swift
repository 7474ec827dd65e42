import Foundation
import LinuxSystem
import Logging
import Testing

@testable import FactordServer

@Suite("The log")
struct LogTests {
    /// Lines as they were written.
    private final class Written: Sendable {
        let lines = Lock<[String]>([])
        func take(_ line: String) { lines.withLock { $0.append(line) } }
        var all: [String] { lines.withLock { $0 } }
    }

    private func logger(_ form: Configuration.Log.Format = .text, level: Configuration.Log.Level = .info, isJournal: Bool = true) -> (Logger, Written, LogControl) {
        let written = Written()
        var settings = Configuration.Log()
        (settings.format, settings.level) = (form, level)
        let control = LogControl(settings, isJournal: isJournal, write: written.take)
        return (Logger(label: "factord") { DaemonLog(label: $0, control: control) }, written, control)
    }

    @Test("For journald the priority stands in front; elsewhere time and level")
    func text() throws {
        let (log, written, _) = logger(level: .trace)
        for level in Logger.Level.allCases { log.log(level: level, "said", metadata: ["b": "two words", "a": "1"]) }
        #expect(written.all.map { $0.prefix(3) } == ["<7>", "<7>", "<6>", "<5>", "<4>", "<3>", "<2>"])
        #expect(written.all[2] == "<6>factord: said a=1 b=\"two words\"\n")
        let (plain, lines, _) = logger(isJournal: false)
        plain.notice("said", metadata: ["empty": ""])
        #expect(lines.all[0].wholeMatch(of: #/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z notice factord: said empty=""\n/#) != nil, "\(lines.all)")
    }

    @Test("JSON is one object a line, with time, level and fields")
    func json() throws {
        let (log, written, _) = logger(.json, isJournal: false)
        log.error("a \"quoted\"\nmessage", metadata: ["path": "/a\\b", "n": "\u{1}x"])
        let line = try #require(written.all.first)
        #expect(line.hasSuffix("}\n") && line.dropLast().allSatisfy { !$0.isNewline })
        let object = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
        #expect(object["level"] as? String == "error" && object["priority"] as? Int == 3 && object["label"] as? String == "factord")
        #expect(object["message"] as? String == "a \"quoted\"\nmessage" && object["path"] as? String == "/a\\b")
        #expect((object["time"] as? String)?.hasSuffix("Z") == true)
        let (journal, lines, _) = logger(.json)
        journal.error("x")
        #expect(lines.all[0].hasPrefix("<3>{"))
    }

    @Test("What somebody sent begins no line of its own")
    func lines() {
        let (log, written, _) = logger()
        log.warning("a\nb", metadata: ["name": "x\n<2>factord: forged"])
        #expect(written.all == ["<4>factord: a\\nb name=\"x\\n<2>factord: forged\"\n"])
    }

    @Test("The level changes while loggers live")
    func level() {
        let (log, written, control) = logger()
        log.debug("one")
        control.use({ var settings = Configuration.Log(); settings.level = .debug; return settings }())
        log.debug("two")
        control.use({ var settings = Configuration.Log(); settings.level = .error; return settings }())
        log.warning("three")
        #expect(written.all == ["<7>factord: two\n"])
    }

    @Test("A cause fills its share and no more, others are not held up, and what was left out is told with the last of it")
    func gate() {
        let (log, written, control) = logger()
        for number in 0..<100 { log.warning("refused", metadata: ["n": "\(number)"]) }
        #expect(written.all.count == LogGate.burst)
        log.warning("something else")
        #expect(written.all.last == "<4>factord: something else\n")
        for _ in 0..<50 { log.critical("the end") }
        for _ in 0..<50 { log.notice("on my way") }
        #expect(written.all.count == LogGate.burst + 101, "what is critical, and what tells of progress, is always said")
        control.flush()
        #expect(written.all.count == LogGate.burst + 101, "the span is not over")
        control.flush(isLast: true)
        #expect(written.all.last == "<4>factord: lines like this were left out: refused last=\"n=99\" left_out=\(100 - LogGate.burst)\n")
        control.flush(isLast: true)
        #expect(written.all.count == LogGate.burst + 102)
    }

    @Test("After its span a cause may speak again, and the count left out comes before")
    func span() {
        var gate = LogGate()
        let line = LogLine(level: .error, label: "x", message: "m", fields: [])
        let allowed = (0..<15).count { _ in gate.allows("a", line, 0) }
        #expect(allowed == LogGate.burst)
        func due(_ now: Int64) -> [String?] { gate.due(now).map(\.fields.last?.value) }
        #expect(due(LogGate.span - 1).isEmpty)
        #expect(due(LogGate.span) == ["5"])
        #expect(due(LogGate.span).isEmpty)
        func isAllowed(_ cause: String) -> Bool { gate.allows(cause, line, LogGate.span) }
        #expect(isAllowed("a"))
        // Memory is bounded, whatever comes.
        for number in 0..<3 * LogGate.causes { _ = isAllowed("\(number)") }
        #expect(isAllowed("one more"))
    }

    @Test("Dates are those of the calendar", arguments: [
        (0, "1970-01-01T00:00:00.000Z"), (951_782_399_999, "2000-02-28T23:59:59.999Z"), (951_782_400_000, "2000-02-29T00:00:00.000Z"),
        (1_735_689_600_005, "2025-01-01T00:00:00.005Z"), (-1, "1969-12-31T23:59:59.999Z"), (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
    ] as [(Int64, String)])
    func dates(_ milliseconds: Int64, _ text: String) { #expect(LogLine.date(milliseconds) == text) }
}
