/// A part of the daemon that starts and stops. The daemon holds them in one list: each may rely on those before it, they
/// start in order and stop in reverse.
///
/// Not swift-service-lifecycle's: that one runs services as tasks and starts them all at once, while these are threads that
/// own sockets (`ServiceThread`), and the order of their stopping is what keeps the last event.
protocol Service: AnyObject, Sendable {
    /// For the log.
    var name: String { get }
    func start() throws
    /// Returns when the service has let go of everything. Called once, after a successful start.
    func stop()
    /// In place of `stop` where a service after this one could not start. Leaves nothing lasting behind.
    func abandon()
}

extension Service {
    func abandon() { stop() }
}
