import LinuxSystem
import Synchronization

/// What the HTTP thread does, round after round. Belongs to that thread.
///
/// Connections are bounded: at the limit, or where no descriptor is left, the one that has been silent for longest makes room
/// for a new one, so that who only connects cannot keep out who asks.
final class HTTPLoop {
    private let listener: StreamListener
    private let wake: EventDescriptor
    private let settings: Configuration.HTTP
    private let limits: RequestLimits
    private let counters: HTTPCounters
    private let routes: HTTPRoutes
    private let hosts: HostRule
    private let ready = ReadinessSet()
    private var connections: [HTTPConnection] = []
    /// Until then nothing is accepted: there is no descriptor for it.
    private var pausedUntil: Int64 = 0

    /// Connections taken in a round at most, so that those that are there are served meanwhile.
    private static let acceptedPerRound = 64

    init(
        listener: StreamListener, wake: EventDescriptor, settings: Configuration.HTTP, maxMessage: Int, limits: RequestLimits,
        assets: DashboardAssets, counters: HTTPCounters
    ) {
        self.listener = listener
        hosts = HostRule(listener.address)
        self.wake = wake
        self.settings = settings
        self.limits = limits
        self.counters = counters
        routes = HTTPRoutes(maxBody: maxMessage, assets: assets, counters: counters)
    }

    /// Answers until told to stop.
    /// - Parameter served: what to answer from; nil as long as there is nothing.
    func run(on thread: ServiceThread, served: () -> HTTPServer.Served?) throws(SystemError) {
        while true {
            let start = MonotonicClock.nanoseconds
            ready.removeAll()
            ready.add(wake.descriptor)
            ready.add(listener.descriptor, reads: start >= pausedUntil)
            for connection in connections { ready.add(connection.stream.descriptor, reads: connection.wantsToRead, writes: connection.wantsToWrite) }
            try ready.wait(timeoutMilliseconds: timeout(start))
            if ready.isReadable(0) { wake.drain() }
            if !routes.isServing, let served = served() { routes.serve(served) }
            let isLast = thread.isStopping
            let now = MonotonicClock.nanoseconds
            for (index, connection) in connections.enumerated() { advance(connection, index + 2, isLast: isLast, now) }
            if ready.isReadable(1), now >= pausedUntil { try accept(now) }
            connections.removeAll { $0.phase == .closed }
            counters.open.store(connections.count, ordering: .relaxed)
            if isLast { return connections.removeAll() }
        }
    }

    /// Until the next deadline; a millisecond while somebody waits for a position.
    private func timeout(_ now: Int64) -> Int {
        var next = now + 500_000_000
        if pausedUntil > now { next = min(next, pausedUntil) }
        for connection in connections {
            if case .waiting = connection.phase { return 1 }
            next = min(next, connection.deadline)
        }
        return max(0, Int((next - now + 999_999) / 1_000_000))
    }

    private func advance(_ connection: HTTPConnection, _ place: Int, isLast: Bool, _ now: Int64) {
        // Whoever has gone while its request waited.
        if case .waiting = connection.phase, ready.isReadable(place) { return connection.close() }
        if connection.wantsToWrite, ready.isWritable(place) { connection.write(now: now) }
        if connection.wantsToRead, ready.isReadable(place) { read(connection, now) }
        // Requests that came together are answered one after the other, each when the answer before it has gone.
        while connection.hasMore, next(connection, now) {}
        if case .waiting = connection.phase { answer(connection, isFinal: isLast || now >= connection.deadline, now) }
        if connection.phase != .closed, now >= connection.deadline { expire(connection, now) }
    }

    private func read(_ connection: HTTPConnection, _ now: Int64) {
        do throws(HTTPRefusal) {
            if try connection.read(now: now) { answer(connection, isFinal: false, now) }
        } catch {
            refuse(connection, error, now)
        }
    }

    /// Whether a further request was whole, and has been answered.
    private func next(_ connection: HTTPConnection, _ now: Int64) -> Bool {
        do throws(HTTPRefusal) {
            guard try connection.advance() else { return false }
            answer(connection, isFinal: false, now)
        } catch {
            refuse(connection, error, now)
        }
        return true
    }

    private func answer(_ connection: HTTPConnection, isFinal: Bool, _ now: Int64) {
        guard let request = connection.request else { return }
        guard hosts.takes(request.host) else {
            return refuse(connection, HTTPRefusal(421, "the Host \(request.host.prefix(100)) is not this server's: ask for 127.0.0.1 or localhost"), now)
        }
        let began = MonotonicClock.nanoseconds
        switch routes.answer(request, connection.body, isFinal: isFinal) {
        case .wait(let position, let milliseconds): connection.wait(for: position, until: now + Int64(milliseconds) * 1_000_000)
        case .response(let response):
            counters.count(response.status)
            connection.answer(response, isLast: false, now: now)
            counters.latency.record(microseconds: (MonotonicClock.nanoseconds - began) / 1000)
        }
    }

    private func refuse(_ connection: HTTPConnection, _ refusal: HTTPRefusal, _ now: Int64) {
        counters.count(refusal.status)
        connection.answer(.refusal(refusal), isLast: true, now: now)
    }

    private func expire(_ connection: HTTPConnection, _ now: Int64) {
        switch connection.phase {
        case .reading where connection.hasMore || connection.request != nil:
            counters.timedOut.add(1, ordering: .relaxed)
            refuse(connection, HTTPRefusal(408, "the request did not arrive in time"), now)
        case .writing:
            counters.timedOut.add(1, ordering: .relaxed)
            connection.close()
        default: connection.close()
        }
    }

    private func accept(_ now: Int64) throws(SystemError) {
        for _ in 0..<HTTPLoop.acceptedPerRound {
            switch try listener.accept() {
            case .nothing: return
            case .noDescriptor:
                counters.noDescriptor.add(1, ordering: .relaxed)
                // libzmq may take the descriptor that this frees; then a pause, for the listener stays readable.
                if !evict() { pausedUntil = now + 50_000_000 }
                return
            case .connection(let stream):
                counters.accepted.add(1, ordering: .relaxed)
                // Where nobody is silent, the new one is: it is closed at once.
                if connections.count >= settings.connections, !evict() { continue }
                connections.append(HTTPConnection(stream, now: now, settings: settings, maxBody: limits.maxBody))
            }
        }
    }

    /// Closes the connection that has been silent for longest; false where all are being answered.
    private func evict() -> Bool {
        guard let place = connections.indices.filter({ connections[$0].isSilent }).min(by: { connections[$0].since < connections[$1].since }) else { return false }
        counters.evicted.add(1, ordering: .relaxed)
        connections.remove(at: place)
        return true
    }
}
