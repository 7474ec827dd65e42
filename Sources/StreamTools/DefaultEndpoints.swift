import Glibc

/// Where a daemon on its embedded defaults listens. Each can be overridden by a flag or an environment variable.
public enum DefaultEndpoints {
    /// The stream of events: the daemon binds a PULL socket, publishers connect with PUSH.
    public static let events = "tcp://127.0.0.1:5560"
    /// The reply socket for `score`, `recommend`, `stats`, `ping`.
    public static let requests = "tcp://127.0.0.1:5561"
    /// The admin socket, in the state directory under the daemon's working directory.
    public static let admin = "ipc://./factord-state/admin.sock"
    /// That of a daemon that the system runs (factord.service), asked where no state directory is at hand.
    public static let systemAdmin = "ipc:///run/factord/admin.sock"

    /// The admin socket of the daemon that is meant where nobody names one.
    public static var likelyAdmin: String {
        access("factord-state", F_OK) != 0 && access("/run/factord", F_OK) == 0 ? systemAdmin : admin
    }

    public static let eventsVariable = "FACTORD_EVENTS"
    public static let requestsVariable = "FACTORD_REQUESTS"
    public static let adminVariable = "FACTORD_ADMIN"
}
