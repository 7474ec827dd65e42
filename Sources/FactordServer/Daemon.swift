/// Runs a daemon until it is told to stop.
///
/// - Returns: The process's exit status.
public func runDaemon(configuration: Configuration) -> Int32 {
    print("factord: \(configuration.streams.count) streams, \(configuration.models.count) models, state in \(configuration.state.directory)")
    return 0
}
