/// Where a daemon on its embedded defaults listens. Each can be overridden by a flag or an environment variable.
public enum DefaultEndpoints {
    /// The stream of events: the daemon binds a PULL socket, publishers connect with PUSH.
    public static let events = "tcp://127.0.0.1:5560"
    /// The reply socket for `score`, `recommend`, `stats`, `ping`.
    public static let requests = "tcp://127.0.0.1:5561"
    /// The admin socket, in the state directory under the daemon's working directory.
    public static let admin = "ipc://./factord-state/admin.sock"

    public static let eventsVariable = "FACTORD_EVENTS"
    public static let requestsVariable = "FACTORD_REQUESTS"
    public static let adminVariable = "FACTORD_ADMIN"
}
