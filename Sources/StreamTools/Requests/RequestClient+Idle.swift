extension RequestClient {
    /// Waits until the daemon has applied what it was sent: until two looks at `stats`, 0.3 s apart, show the same
    /// position and no trainer has anything queued.
    /// - Returns: the position; nil when it was still moving after `seconds`.
    @discardableResult
    public func waitUntilIdle(seconds: Double = 30) throws(StreamToolsError) -> Int? {
        var last: Int?
        var waited = 0.0
        while waited < seconds {
            let stats = try call("stats")
            let position = stats["position"]?.integer ?? stats["events"]?["received"]?.integer ?? 0
            let queued = (stats["trainers"]?.array ?? []).reduce(0) { $0 + ($1["queue_depth"]?.integer ?? 0) }
            if position == last, queued == 0 { return position }
            last = position
            try Interruption.sleep(seconds: 0.3)
            waited += 0.3
        }
        return nil
    }
}
