import Factorization
import LinuxSystem
import Logging

/// Says on the log when a model's drift alarm went off. One thread calls `look`, about once a second.
final class DriftLog: Sendable {
    private let engine: Engine
    private let log: Logger
    /// Alarms told so far, by model.
    private let told: Lock<[Int]>

    init(engine: Engine, log: Logger) {
        self.engine = engine
        self.log = log
        // A restored state brings alarms that were told before.
        told = Lock(engine.models.indices.map { engine.drift($0).alarms })
    }

    func look() {
        for (index, model) in engine.models.enumerated() {
            let drift = engine.drift(index)
            let isNew = told.withLock { told in
                defer { told[index] = drift.alarms }
                return drift.alarms > told[index]
            }
            guard isNew else { continue }
            log.warning(
                "the prequential loss has risen: the stream may have changed; if it did not mean to, look at its publishers, and if it goes on, at the learning rates",
                metadata: ["model": "\(model.settings.name)", "position": "\(drift.lastPosition)", "alarms": "\(drift.alarms)"])
        }
    }
}
