import Factorization
import WireFormats

/// Exactly-once sums in `stats`.
extension StatsReport {
    /// By shard, 64 words of each part, in hexadecimal: numbers of 64 bits would lose digits in many readers of JSON.
    func writeProof(_ sums: WitnessSums, _ writer: inout JSONWriter) {
        writer.key("proof")
        writer.beginObject()
        for (part, words) in [("users" as StaticString, sums.users), ("items", sums.items)] {
            writer.key(part)
            writer.beginArray()
            for word in words { writer.value(String(word, radix: 16)) }
            writer.endArray()
        }
        writer.endObject()
    }
}
