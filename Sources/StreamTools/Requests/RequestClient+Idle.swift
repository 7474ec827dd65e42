extension RequestClient {
    /// Records that the daemon has received since it started.
    public func receivedRecords() throws(StreamToolsError) -> Int {
        try call("stats")["events"]?["received"]?.integer ?? 0
    }

    /// Waits until the daemon has received so many records and applied all that it received.
    /// - Parameter received: records since the daemon's start; nil waits until no more arrive.
    /// - Returns: the answer to `stats` that showed it; nil when it had not come to that after `seconds`.
    @discardableResult
    public func waitUntilIdle(received: Int? = nil, seconds: Double = 30) throws(StreamToolsError) -> JSONTree? {
        // Without a number to wait for, only a pause of the stream tells its end.
        let pause = received == nil ? 0.3 : 0.02
        var last: Int?
        var waited = 0.0
        while waited < seconds {
            let stats = try call("stats")
            let position = stats["position"]?.integer ?? 0
            let hasArrived = received.map { (stats["events"]?["received"]?.integer ?? 0) >= $0 } ?? true
            let isApplied = position == last && position == stats["sequenced"]?.integer ?? position
            let queued = (stats["trainers"]?.array ?? []).reduce(0) { $0 + ($1["queue_depth"]?.integer ?? 0) }
            if hasArrived, isApplied, queued == 0 { return stats }
            last = position
            try Interruption.sleep(seconds: pause)
            waited += pause
        }
        return nil
    }
}
