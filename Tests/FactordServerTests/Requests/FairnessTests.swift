import LinuxSystem
import Testing

@testable import FactordServer

/// Nobody is delayed by what others have waiting, and nobody takes more than is allowed.
@Suite("Fairness")
struct FairnessTests {
    @Test("Clients take turns, and each one's own come in order")
    func turns() {
        var queue = FairQueue<String>()
        func next() -> String? { queue.next() }
        for number in 0..<4 { queue.append("a\(number)", of: 1) }
        queue.append("b0", of: 2)
        #expect(next() == "a0")
        queue.append("c0", of: 3)
        queue.append("b1", of: 2)
        var rest: [String] = []
        while let next = next() { rest.append(next) }
        #expect(rest == ["b0", "a1", "c0", "b1", "a2", "a3"])
        #expect(queue.count == 0 && next() == nil)
    }

    private func accounts(inFlight: Int, rate: Int) -> ClientAccounts {
        var settings = Configuration.Requests()
        (settings.inFlight, settings.rate) = (inFlight, rate)
        return ClientAccounts(RequestLimits(settings))
    }

    @Test("A client's requests in flight are bounded, another's are its own")
    func inFlight() {
        var accounts = self.accounts(inFlight: 2, rate: 0)
        func begun(_ client: UInt64) -> Int { (0..<5).count { _ in accounts.begin(client) } }
        #expect(begun(1) == 2)
        #expect(begun(2) == 2)
        accounts.end(1)
        #expect(begun(1) == 1)
    }

    @Test("A rate lets a second's worth through at once, then as many as time brings")
    func rate() {
        var accounts = self.accounts(inFlight: 1, rate: 10)
        func admitted(_ client: UInt64, at seconds: Double) -> Int { (0..<100).count { _ in accounts.admits(client, at: Int64(seconds * 1e9)) } }
        #expect(admitted(1, at: 0) == 10)
        #expect(admitted(1, at: 0.35) == 3)
        #expect(admitted(2, at: 0.35) == 10)
        #expect(admitted(1, at: 1000) == 10)
        var unlimited = self.accounts(inFlight: 1, rate: 0)
        #expect((0..<100_000).count { _ in unlimited.admits(1, at: 0) } == 100_000)
    }

    @Test("Clients without end do not take memory without end")
    func manyClients() {
        var accounts = self.accounts(inFlight: 1, rate: 1)
        let clients = UInt64(3 * ClientAccounts.remembered)
        let admitted = (0..<clients).count { accounts.admits($0, at: 0) }
        #expect(admitted == Int(clients))
        // The newest is still known.
        let isAdmitted = accounts.admits(clients - 1, at: 0)
        #expect(!isAdmitted && accounts.rememberedCount <= ClientAccounts.remembered)
    }

    @Test("Times are counted by bucket and by percentile")
    func latency() {
        let histogram = LatencyHistogram()
        for microseconds in [10, 60, 60, 3000, 100_000_000] as [Int64] { histogram.record(microseconds: microseconds) }
        let buckets = histogram.buckets
        #expect(buckets.counts.count == DurationBuckets.bounds.count + 1 && buckets.counts.reduce(0, +) == 5)
        // Each in the first bucket that is not below it.
        #expect(zip(DurationBuckets.bounds, buckets.counts).first { $0.0 == 100 }?.1 == 2 && buckets.counts.last == 1)
        #expect(buckets.microseconds > 60_000_000 && histogram.percentile(50) == 60)
        #expect(histogram.takeRecent().count == 5 && histogram.takeRecent().count == 0)
        histogram.record(microseconds: 7)
        #expect(histogram.takeRecent().percentile(99) == 7 && histogram.percentile(50) == 60)
    }
}
