import Factorization
import LinuxSystem
import Logging

/// The snapshot of a clean stop. It makes the next start short, and a stop long; nothing depends on it where the journal holds
/// what it would.
extension SnapshotKeeper {
    /// Writes it, unless it would take longer than a stop may and nothing is lost without it.
    func writeFinal() {
        let bytes = StateCapture.expectedBytes(engine)
        let seconds = SnapshotKeeper.estimate(bytes: bytes, last: newest.map { ($0.bytes, $0.seconds) }, rate: settings.rate.bytes)
        let isHeld = journal.map { !$0.isDegraded && !$0.needsSnapshot } ?? false
        guard !isHeld || seconds <= Double(settings.stopBudget.nanoseconds) / 1e9 else {
            log.notice(
                "no final snapshot: the next start applies the journal, which has everything",
                metadata: [
                    "bytes": "\(bytes)", "seconds": "\(Int(seconds.rounded(.up)))",
                    "budget": "\(settings.stopBudget) (state.snapshot.stop_budget)", "position": "\(engine.sequencer.lastPosition)",
                ])
            return
        }
        do {
            let final = try write()
            log.notice("final snapshot", metadata: ["position": "\(final.position)", "path": "\(final.path)"])
        } catch {
            log.error("no final snapshot; the one before stands, and the next start applies the journal: see to what the error names", metadata: ["error": "\(error)"])
        }
    }

    /// Bytes a second that a snapshot is taken to get, its reading back included, until one was large enough to tell.
    private static let usualSpeed = 100.0 * 1_048_576
    private static let tellingBytes: UInt64 = 16 << 20

    /// Seconds that a snapshot of so many bytes would take that is not held back.
    /// - Parameters:
    ///   - last: bytes and seconds of the last one.
    ///   - rate: bytes a second that it was held to; 0 for none.
    static func estimate(bytes: Int, last: (bytes: UInt64, seconds: Double)?, rate: Int) -> Double {
        var speed = usualSpeed
        if let last, last.bytes >= tellingBytes, last.seconds > 0 {
            let measured = Double(last.bytes) / last.seconds
            // One that was held back says only that the disk is no slower.
            let isHeldBack = rate > 0 && measured > 0.8 * Double(rate)
            speed = isHeldBack ? max(measured, usualSpeed) : measured
        }
        return 0.1 + Double(bytes) / speed
    }
}
