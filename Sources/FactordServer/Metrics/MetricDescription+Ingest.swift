/// Metrics of the way in: streams, sequencer, journal, trainers.
extension MetricDescription {
    static let all: [MetricDescription] = service + streams + sequencing + journal + learning + memory + snapshots + requests + http + access

    private static let service: [MetricDescription] = [
        .own("factord_ready", .gauge, "0 or 1", "Whether the daemon answers and can make durable what it learns"),
        .info("factord_build_info", "build", keys: ["version", "kernels", "libzmq"], "1, with what runs: factord's version, the kernels chosen for this processor, libzmq's version"),
        .gauge("process_start_time_seconds", "process.start_seconds", "seconds", "Start of the process since 1970-01-01 UTC"),
        .counter("process_cpu_seconds_total", "process.cpu_seconds", "seconds", "Processor time of all threads"),
        .gauge("process_resident_memory_bytes", "process.resident_bytes", "bytes", "Memory in use"),
        .gauge("process_virtual_memory_bytes", "process.virtual_bytes", "bytes", "Address space mapped, most of it ahead of use"),
        .gauge("process_threads", "process.threads", "threads", "Threads"),
        .gauge("process_open_fds", "process.descriptors", "descriptors", "Open descriptors; each connection takes one"),
        .gauge("process_max_fds", "process.descriptors_limit", "descriptors", "Descriptors that may be open; past it nobody can connect"),
    ]

    private static let streams: [MetricDescription] = [
        .counter("factord_stream_messages_total", "streams.messages", "messages", labels: ["stream"], "Messages that came"),
        .counter("factord_stream_received_bytes_total", "streams.bytes", "bytes", labels: ["stream"], "Bytes of these messages"),
        .counter("factord_stream_records_total", "streams.received", "records", labels: ["stream"], "Records decoded and taken on: events, attributes and commands"),
        .counter("factord_stream_rejected_total", "streams.rejected", "records", labels: ["stream", "reason"], "Records set aside as dead letters"),
        .counter("factord_stream_oversize_total", "streams.oversize", "messages", labels: ["stream"], "Messages over the limits on frames or bytes"),
        .counter("factord_stream_disconnects_total", "streams.disconnects", "connections", labels: ["stream"], "Connections that ended"),
        .counter("factord_stream_recreated_total", "streams.recreated", "sockets", labels: ["stream"], "Sockets made anew because libzmq had given up their peer for ever"),
        .gauge("factord_stream_sources", "streams.losses.sources", "publishers", labels: ["stream"], "Publishers that number their messages and are told apart now"),
        .counter("factord_stream_gaps_total", "streams.losses.gaps", "gaps", labels: ["stream"], "Gaps in publishers' numbers"),
        .gauge("factord_stream_missing_messages", "streams.losses.missing", "messages", labels: ["stream"], "Messages missing in gaps and at ends that beats told of; one that comes late is missing no more"),
        .counter("factord_stream_reordered_total", "streams.losses.reordered", "messages", labels: ["stream"], "Messages that came after a later one"),
        .counter("factord_stream_duplicates_total", "streams.losses.duplicates", "messages", labels: ["stream"], "Messages that came twice"),
        .counter("factord_stream_stale_total", "streams.losses.stale", "messages", labels: ["stream"], "Messages of an epoch that a newer one had ended"),
        .counter("factord_stream_answers_total", "streams.answered", "answers", labels: ["stream", "status"], "Answers of an acknowledged stream"),
        .counter("factord_stream_answers_dropped_total", "streams.answers_dropped", "answers", labels: ["stream"], "Answers that a publisher did not take"),
        .counter("factord_dead_letters_written_total", "events.dead_letters.written", "records", "Dead letters written"),
        .counter("factord_dead_letters_lost_total", "events.dead_letters.lost", "records", "Dead letters that could not be written"),
    ]

    private static let sequencing: [MetricDescription] = [
        .gauge("factord_sequenced_position", "sequenced", "events", "The position given out last"),
        .gauge("factord_applied_position", "position", "events", "The highest position up to which everything is learned"),
        .gauge("factord_durable_position", "durable", "events", "The highest position up to which everything is on disk"),
        .counter("factord_sequencer_refused_total", "events.refused", "records", labels: ["reason"], "Records, or parts of them, that got no position or no row; `unseen`, `no_free_row` and `no_attribute_room` are the budget's"),
        .counter("factord_backpressure_waits_total", "events.waits", "waits", "Times that a receiver had to wait for a trainer's full queue"),
    ]

    private static let journal: [MetricDescription] = [
        .counter("factord_journal_appended_total", "journal.appended", "batches", "Number of the last record of the journal"),
        .counter("factord_journal_durable_total", "journal.durable", "batches", "Number of its last record that is on disk"),
        .gauge("factord_journal_segments", "journal.segments", "files", "Segment files"),
        .counter("factord_journal_failures_total", "journal.failures", "failures", "Times that the storage became degraded"),
        .gauge("factord_journal_holes", "journal.holes", "holes", "Ranges of records that disk faults took"),
        .counter("factord_journal_bypassed_records_total", "journal.learned_not_durable", "records", "Records learned while nothing could be made durable"),
        .own("factord_journal_sync_duration_seconds", .histogram, "seconds", "How long fdatasync took"),
        .gauge("factord_sources", "journal.sources", "publishers", "Publishers of acknowledged streams that are remembered"),
        .counter("factord_sources_expired_total", "journal.sources_expired", "publishers", "Publishers forgotten for want of room"),
    ]

    private static let learning: [MetricDescription] = [
        .counter("factord_interactions_total", "events.accepted", "interactions", "Interactions learned since the start"),
        .own("factord_learning_delay_seconds", .histogram, "seconds", "Once a second while events come: until everything that had a position was learned"),
        .gauge("factord_trainer_queue_depth", "trainers.queue_depth", "records", labels: ["trainer"], "Records that wait for a trainer"),
        .gauge("factord_trainer_queue_capacity", "trainers.queue_capacity", "records", labels: ["trainer"], "Records that may wait"),
        .gauge("factord_trainer_applied_position", "trainers.applied", "events", labels: ["trainer"], "The position up to which a trainer has learned its part"),
        .counter("factord_trainer_copies_handed_over_total", "trainers.copies_handed_over", "rows", labels: ["trainer"], "Rows of hot items that took up what a trainer had learned in a copy"),
        .info("factord_model_info", "models", labels: ["model"], keys: ["kind", "rank", "loss"], "1, with what the model is"),
        .counter("factord_model_events_total", "models.events", "events", labels: ["model"], "Events predicted, then learned"),
        .counter("factord_model_row_updates_total", "models.row_updates", "rows", labels: ["model"], "Row updates: what an event costs"),
        .counter("factord_model_clipped_total", "models.clipped", "steps", labels: ["model"], "Steps cut by a cap"),
        .counter("factord_model_rejected_total", "models.rejected", "items", labels: ["model"], "Items not learned because their score was not finite"),
        .counter("factord_model_refined_total", "models.refined", "rows", labels: ["model"], "Users' rows re-solved from what is held of them"),
        .counter("factord_model_refolded_total", "models.refolded", "rows", labels: ["model"], "Stale users' rows folded anew, lastingly"),
        .counter("factord_model_drift_alarms_total", "models.drift.alarms", "alarms", labels: ["model"], "Alarms: the prequential loss rose beyond chance"),
        .gauge("factord_model_drift_position", "models.drift.last_position", "events", labels: ["model"], "Position of the last alarm; 0 without any"),
        .gauge(
            "factord_model_quality", [("models.prequential.value", "all"), ("models.prequential.recent", "recent"), ("models.prequential.window", "last")], by: "window", "as the metric", labels: ["model", "metric"],
            "Prequential quality, each event predicted before it is learned: over all events, recent (half-life 5,000 events), and over the last 10,000 or so; hr@10 and ndcg@10 of a sample (50 events a second at most), recent with a half-life of 500 of these, and no last"),
        .gauge("factord_model_window_events", "models.window_events", "events", labels: ["model"], "Events of which the window `last` tells"),
        .counter("factord_refinement_rounds_total", "refinement.rounds", "rounds", "Rounds of `refinement` through all users, ended"),
        .counter("factord_refinement_seconds_total", "refinement.seconds", "seconds", "Time that trainers were busy with `refinement`"),
        .gauge("factord_refinement_users", "refinement.users", "users", "Users that the round of `refinement` under way has done; 0 between two rounds"),
        .gauge("factord_promoted_position", "promoted_at", "events", "Position of the last promotion; 0 without any"),
        .gauge("factord_promotion_events", "promotion.events", "events", "With `promotion`: events on which the two models were compared"),
        .gauge("factord_promotion_difference", "promotion.difference", "as the measure", "With `promotion`: mean difference, positive where the challenger is better"),
        .gauge("factord_promotion_log_evidence", "promotion.log_evidence", "nats", "With `promotion`: natural logarithm of the evidence that the challenger is better"),
        .gauge("factord_promotion_log_needed", "promotion.log_needed", "nats", "With `promotion`: what that must reach"),
        .counter("factord_promotions_automatic_total", "promotion.automatic", "promotions", "With `promotion`: promotions that nobody asked for"),
        .counter("factord_explored_lists_total", "exploration.explored", "lists", "Lists answered with room for chance"),
        .counter("factord_exploration_log_written_total", "exploration.written", "lists", "With `exploration.log`: lists written down"),
        .counter("factord_exploration_log_lost_total", "exploration.lost", "lists", "With `exploration.log`: lists that could not be written"),
        .counter("factord_exploration_log_dropped_total", "exploration.dropped", "lists", "With `exploration.log`: lists left out because too many waited"),
        .gauge("factord_replay_capacity", "replay.capacity", "interactions", "Interactions that the replay reservoir can hold"),
        .gauge("factord_replay_held", "replay.held", "interactions", "Interactions that it holds"),
        .gauge("factord_replay_bytes", "replay.bytes", "bytes", "What it takes"),
        .counter("factord_replayed_total", "replay.replay_count", "interactions", "Interactions learned again"),
    ]
}
