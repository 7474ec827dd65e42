/// Metrics of what is held, and of the ways out: memory, snapshots, requests, HTTP.
extension MetricDescription {
    static let memory: [MetricDescription] = [
        .gauge("factord_table_ids", "tables.sides.ids", "ids", labels: ["table"], "Ids that have rows"),
        .gauge("factord_table_holes", "tables.sides.holes", "rows", labels: ["table"], "Rows that wait for another id"),
        .gauge(
            "factord_table_bytes", [("tables.sides.id_bytes", "ids"), ("tables.sides.row_bytes", "rows")], by: "part", "bytes", labels: ["table"],
            "Bytes in use: ids with their index, and rows of all models"),
        .gauge(
            "factord_memory_bytes", [("tables.id_bytes", "ids"), ("tables.row_bytes", "rows"), ("tables.history_bytes", "histories")], by: "part", "bytes",
            "Bytes mapped for ids, for rows of all models, and for histories, seen sets and attribute lists"),
        .gauge("factord_memory_budget_bytes", "tables.budget", "bytes", "`memory.budget`"),
        .gauge("factord_histories_bytes", "tables.held_bytes", "bytes", "Histories and seen sets in use, of which `memory.histories` speaks"),
        .counter("factord_histories_dropped_total", "tables.held_dropped", "items", "Items left out of histories and seen sets for want of room, and of seen sets at `history.seen_limit`"),
        .gauge("factord_hidden_items", "tables.hidden_items", "items", "Items that are in no list"),
        .counter("factord_evictions_total", "tables.evictions", "ids", "Ids evicted or forgotten since the state began"),
    ]

    static let snapshots: [MetricDescription] = [
        .counter("factord_snapshots_written_total", "snapshot.count", "snapshots", "Snapshots written by this process"),
        .counter("factord_snapshots_failed_total", "snapshot.failed", "snapshots", "Snapshots that failed"),
        .gauge("factord_snapshot_position", "snapshot.position", "events", "After the first of this process: the newest snapshot's position"),
        .gauge("factord_snapshot_age_seconds", "snapshot.age_seconds", "seconds", "After the first: since it was finished"),
        .gauge("factord_snapshot_size_bytes", "snapshot.bytes", "bytes", "After the first: its size"),
        .gauge("factord_snapshot_exact", "snapshot.exact", "0 or 1", "After the first: whether it holds exactly one position"),
        .gauge("factord_snapshot_duration_seconds", "snapshot.seconds", "seconds", "After the first: how long it took"),
        .gauge("factord_snapshot_verify_seconds", "snapshot.verify_seconds", "seconds", "After the first: of these, for reading it back"),
        .gauge("factord_snapshot_prune_seconds", "snapshot.prune_seconds", "seconds", "After the first: of these, for removing older ones"),
        .gauge("factord_snapshot_pauses", "snapshot.pauses", "pauses", "After the first: pauses in which learning stood still"),
        .gauge("factord_snapshot_longest_pause_seconds", "snapshot.pause_ms", "seconds", divisor: 1e3, "After the first: the longest of them"),
        .gauge("factord_snapshot_paused_seconds", "snapshot.pause_total_ms", "seconds", divisor: 1e3, "After the first: all of them together"),
    ]

    static let requests: [MetricDescription] = [
        .own("factord_requests_total", .counter, "requests", labels: ["socket", "method", "outcome"], "Requests by outcome: ok, invalid (the request's fault), busy (told to come again), late (its deadline passed), failed. A batch counts as one of method `batch`"),
        .own("factord_request_duration_seconds", .histogram, "seconds", labels: ["socket", "method"], "From receipt to the finished answer, waiting included; over HTTP without the wait for a position"),
        .counter("factord_request_replies_total", "requests.answered", "replies", "Replies of the reply socket"),
        .counter("factord_request_errors_total", "requests.errors", "requests", "Requests among them that were answered with an error"),
        .counter("factord_request_replies_dropped_total", "requests.dropped", "replies", "Replies that a client did not take: it was gone, or its queue was full"),
        .counter("factord_requests_refused_total", "requests.refused", "requests", labels: ["reason"], "Requests refused by a limit: in_flight and rate of a client, waiting and queue of all, deadline, size"),
        .gauge("factord_requests_waiting", "requests.waiting", "requests", "Requests that wait for a position"),
        .gauge("factord_requests_queued", "requests.queued", "requests", "Requests that wait for a thread"),
        .counter("factord_request_disconnects_total", "requests.disconnects", "connections", "Connections of clients that ended"),
        .counter("factord_request_accept_failures_total", "requests.accept_failed", "connections", "Connections that could not be taken for want of descriptors"),
        .counter("factord_request_handshake_failures_total", "requests.handshake_failures", "connections", "Connections that did not introduce themselves in time or form"),
    ]

    static let http: [MetricDescription] = [
        .gauge("factord_http_connections", "http.connections", "connections", "Open connections"),
        .counter("factord_http_accepted_total", "http.accepted", "connections", "Connections taken"),
        .counter("factord_http_evicted_total", "http.evicted", "connections", "Silent connections that made room for newer ones"),
        .counter("factord_http_timed_out_total", "http.timed_out", "connections", "Connections that took too long to send a request or to take an answer"),
        .counter("factord_http_accept_failures_total", "http.no_descriptor", "connections", "Times that no descriptor was left for a connection"),
        .own("factord_http_responses_total", .counter, "answers", labels: ["class"], "Answers by class of status: 2xx, 4xx, 5xx"),
        .own("factord_http_response_duration_seconds", .histogram, "seconds", "From the last byte of a request, of any page or method, to the answer"),
    ]

    static let access: [MetricDescription] = [
        .gauge("factord_access_keys_asked", "access.keys_asked", "0 or 1", "Whether tcp endpoints ask for keys"),
        .gauge("factord_access_keys", "access.keys", "keys", labels: ["role"], "Keys that may come in, by role: publish, query, admin"),
        .counter("factord_access_admitted_total", "access.admitted", "connections", labels: ["role"], "Connections let in by their key"),
        .counter("factord_access_refused_total", "access.turned_away", "connections", labels: ["role"], "Connections refused because their key is not in the role's list; those without any key are factord_request_handshake_failures_total"),
        .counter("factord_reloads_total", "reloads", "reloads", labels: ["outcome"], "Times that the configuration was read anew: taken, or refused because of a fault, which changes nothing"),
    ]

    /// Numbers of `stats` that are in no metric of their own, and why.
    static let omitted: [String: String] = [
        "uptime_seconds": "process_start_time_seconds", "events.received": "the sum of factord_stream_records_total", "events.rate": "a rate of factord_interactions_total",
        "events.rejected": "the sum of factord_stream_rejected_total and factord_sequencer_refused_total", "streams.losses.last_gap.epoch": "an event, not a measure",
        "streams.losses.last_gap.first": "an event, not a measure", "streams.losses.last_gap.last": "an event, not a measure", "models.rank": "factord_model_info",
        "promotion.minimum_events": "a setting", "promotion.expected_events": "a guess that may be missing", "promotion.challenges": "follows from the others",
        "promotion.enough": "follows from the others", "tables.users": "factord_table_ids", "tables.items": "factord_table_ids",
        "tables.context_features": "factord_table_ids", "tables.user_attributes": "factord_table_ids", "tables.item_attributes": "factord_table_ids",
        "tables.bytes": "the sum of factord_memory_bytes", "tables.sides.bytes_per_id": "a ratio of two others", "tables.sides.bytes_per_row": "a ratio of two others",
        "snapshot.pause_p50_ms": "the longest pause is what hurts", "snapshot.pause_p999_ms": "the longest pause is what hurts",
        "requests.p50_us": "factord_request_duration_seconds", "requests.p99_us": "factord_request_duration_seconds", "http.p50_us": "factord_http_response_duration_seconds",
        "http.p99_us": "factord_http_response_duration_seconds", "http.succeeded": "factord_http_responses_total", "http.client_errors": "factord_http_responses_total",
        "http.server_errors": "factord_http_responses_total",
    ]
}
