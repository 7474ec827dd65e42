import Factorization
import LinuxSystem
import Synchronization
import WireFormats
import ZeroMQ

/// What `stats` tells of requests, and of the process.
extension StatsReport {
    /// What is wrong with the storage; nil where nothing is.
    var fault: String? { journal?.fault }

    /// What runs.
    func writeBuild(_ writer: inout JSONWriter) {
        writer.key("build")
        writer.beginObject()
        writer.member("version", FactordVersion.text)
        writer.member("kernels", "\(Kernels.best.variant)")
        writer.member("libzmq", ZeroMQVersion.description)
        writer.endObject()
    }

    func writeRequests(_ writer: inout JSONWriter) {
        if let requests { write(requests, &writer) }
        if let http { write(http, &writer) }
    }

    private func write(_ counters: RequestCounters, _ writer: inout JSONWriter) {
        writer.key("requests")
        writer.beginObject()
        writer.member("answered", counters.answered.load(ordering: .relaxed))
        writer.member("errors", counters.errors.load(ordering: .relaxed))
        writer.member("dropped", counters.dropped.load(ordering: .relaxed))
        writer.member("disconnects", counters.disconnects.load(ordering: .relaxed))
        writer.member("accept_failed", counters.acceptFailed.load(ordering: .relaxed))
        writer.member("handshake_failures", counters.handshakeFailures.load(ordering: .relaxed))
        writer.member("waiting", counters.waiting.load(ordering: .relaxed))
        writer.member("queued", counters.queued.load(ordering: .relaxed))
        writer.key("refused")
        writer.beginObject()
        for reason in RequestCounters.Refusal.allCases { writer.member(reason.name, counters.refusals(reason)) }
        writer.endObject()
        write(counters.latency, &writer)
        writer.endObject()
    }

    private func write(_ counters: HTTPCounters, _ writer: inout JSONWriter) {
        writer.key("http")
        writer.beginObject()
        writer.member("connections", counters.open.load(ordering: .relaxed))
        writer.member("accepted", counters.accepted.load(ordering: .relaxed))
        writer.member("evicted", counters.evicted.load(ordering: .relaxed))
        writer.member("timed_out", counters.timedOut.load(ordering: .relaxed))
        writer.member("no_descriptor", counters.noDescriptor.load(ordering: .relaxed))
        writer.member("succeeded", counters.succeeded.load(ordering: .relaxed))
        writer.member("client_errors", counters.clientErrors.load(ordering: .relaxed))
        writer.member("server_errors", counters.serverErrors.load(ordering: .relaxed))
        write(counters.latency, &writer)
        writer.endObject()
    }

    private func write(_ latency: LatencyHistogram, _ writer: inout JSONWriter) {
        writer.member("p50_us", latency.percentile(50))
        writer.member("p99_us", latency.percentile(99))
    }

    func writeProcess(_ writer: inout JSONWriter) {
        writer.key("process")
        writer.beginObject()
        writer.member("start_seconds", Double(startedAt) / 1e3)
        writer.member("cpu_seconds", Double(ProcessFacts.processorNanoseconds) / 1e9)
        writer.member("threads", ProcessFacts.threads)
        writer.member("resident_bytes", ProcessFacts.residentBytes)
        writer.member("virtual_bytes", ProcessFacts.virtualBytes)
        writer.member("descriptors", ProcessFacts.openDescriptors)
        writer.member("descriptors_limit", ProcessFacts.descriptorLimit)
        writer.endObject()
    }
}
