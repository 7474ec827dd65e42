import Foundation
import Glibc
import LinuxSystem

/// A program of this package as a process of its own: what it prints goes into files, and it never outlives this object.
final class RunningProgram {
    /// How a process ended.
    enum Ending: Equatable, CustomStringConvertible {
        case exited(Int32)
        case killed(signal: Int32)

        var description: String {
            switch self {
            case .exited(let status): "exited with \(status)"
            case .killed(let signal): "killed by signal \(signal)"
            }
        }
    }

    let processID: pid_t
    private let outputFile: String
    private let errorFile: String
    private var ending: Ending?

    /// Starts `name`, found beside the tests, or any program by its path.
    /// - Parameter logs: the folder where its output is kept; exists.
    init(_ name: String, _ arguments: [String], logs: String, environment: [String: String] = [:]) throws {
        let file = "\(logs)/\(name.split(separator: "/").last ?? "program")-\(UUID().uuidString.prefix(8))"
        outputFile = file + ".out"
        errorFile = file + ".err"
        processID = try spawn(
            name.hasPrefix("/") ? name : "\(RunningProgram.folder)/\(name)", arguments, output: outputFile, error: errorFile,
            environment: RunningProgram.cleanEnvironment.merging(environment) { $1 })
    }

    deinit {
        if ending == nil {
            Glibc.kill(processID, SIGKILL)
            var status: Int32 = 0
            while waitpid(processID, &status, 0) < 0, errno == EINTR {}
        }
    }

    /// Where the package's programs lie: beside the program that runs the tests.
    static let folder: String = {
        if let given = ProcessInfo.processInfo.environment["FACTORD_TEST_PROGRAMS"] { return given }
        let runner = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? CommandLine.arguments[0]
        return URL(fileURLWithPath: runner).deletingLastPathComponent().path
    }()

    /// A program of the machine; nil where it is not installed.
    static func find(_ name: String) -> String? {
        (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").map { "\($0)/\(name)" }.first { access($0, X_OK) == 0 }
    }

    /// Nothing of the person's settings: only what a program needs to run, and what the sanitizers are told.
    private static let cleanEnvironment: [String: String] = {
        let kept = ["PATH", "HOME", "LD_LIBRARY_PATH", "TSAN_OPTIONS", "ASAN_OPTIONS", "TMPDIR"]
        // A crash must end the process at once, not wait in a backtrace.
        return ProcessInfo.processInfo.environment.filter { kept.contains($0.key) }
            .merging(["SWIFT_BACKTRACE": "enable=no"]) { $1 }
    }()

    var standardOutput: String { text(outputFile) }
    var standardError: String { text(errorFile) }

    /// For a folder that outlives the program.
    func removeLogs() { for file in [outputFile, errorFile] { unlink(file) } }

    private func text(_ path: String) -> String {
        String(decoding: FileManager.default.contents(atPath: path) ?? Data(), as: UTF8.self)
    }

    func signal(_ number: Int32) { Glibc.kill(processID, number) }

    /// The ending, if it has come.
    func poll() -> Ending? {
        if ending == nil {
            var status: Int32 = 0
            if waitpid(processID, &status, WNOHANG) == processID {
                let signal = status & 0x7F
                ending = signal == 0 ? .exited((status >> 8) & 0xFF) : .killed(signal: signal)
            }
        }
        return ending
    }

    /// Waits for the end. A program that does not end in time is killed, and the test fails.
    func wait(seconds: Double = 60) throws -> Ending {
        if let ending = eventually(seconds: seconds, { self.poll() }) { return ending }
        signal(SIGKILL)
        throw Unexpected("process \(processID) did not end within \(seconds) s; its log:\n\(standardError)")
    }
}

/// Something that a test cannot go on from.
struct Unexpected: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

/// Asks again and again until there is an answer; nil when there is none in time.
func eventually<Value>(seconds: Double = 60, _ look: () throws -> Value?) rethrows -> Value? {
    let deadline = MonotonicClock.nanoseconds + Int64(seconds * 1e9)
    while true {
        if let value = try look() { return value }
        guard MonotonicClock.nanoseconds < deadline else { return nil }
        MonotonicClock.sleep(microseconds: 5000)
    }
}

/// `eventually` for a condition.
func eventually(seconds: Double = 60, _ condition: () throws -> Bool) rethrows -> Bool {
    try eventually(seconds: seconds) { try condition() ? true : nil } ?? false
}

private func spawn(
    _ path: String, _ arguments: [String], output: String, error: String, environment: [String: String]
) throws -> pid_t {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT | O_APPEND, 0o600)
    posix_spawn_file_actions_addopen(&actions, 2, error, O_WRONLY | O_CREAT | O_APPEND, 0o600)

    // The test runner's own masks and handlers are not the child's business.
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var none = sigset_t(), all = sigset_t()
    sigemptyset(&none)
    sigfillset(&all)
    posix_spawnattr_setsigmask(&attributes, &none)
    posix_spawnattr_setsigdefault(&attributes, &all)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))

    let words = ([path] + arguments).map { strdup($0) } + [nil]
    let variables = environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
    defer { for word in words + variables { free(word) } }
    var process: pid_t = 0
    let result = posix_spawn(&process, path, &actions, &attributes, words, variables)
    guard result == 0 else { throw Unexpected("\(path) cannot be started: \(String(cString: strerror(result)))") }
    return process
}
