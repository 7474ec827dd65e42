import Glibc
import LinuxSystem

/// Seconds that `body` takes.
func seconds(_ body: () throws -> Void) rethrows -> Double {
    let start = MonotonicClock.nanoseconds
    try body()
    return Double(MonotonicClock.nanoseconds - start) / 1e9
}

/// Processor seconds that the calling thread takes for `body`.
func threadSeconds(_ body: () throws -> Void) rethrows -> Double {
    let start = processorClock(CLOCK_THREAD_CPUTIME_ID)
    try body()
    return processorClock(CLOCK_THREAD_CPUTIME_ID) - start
}

/// Processor seconds, user and system, that this process has taken so far.
var ownProcessorSeconds: Double { processorClock(CLOCK_PROCESS_CPUTIME_ID) }

private func processorClock(_ clock: clockid_t) -> Double {
    var time = timespec()
    clock_gettime(clock, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}

/// Processor seconds, user and system, that a process has taken so far: all of it, and its threads of which the name begins
/// with `name`.
func processorSeconds(of process: pid_t, threads name: String) throws -> (all: Double, threads: Double) {
    let tasks = "/proc/\(process)/task"
    guard let directory = opendir(tasks) else { throw BenchmarkError("\(tasks) cannot be read") }
    defer { closedir(directory) }
    var named = 0.0
    while let entry = readdir(directory) {
        let number = withUnsafePointer(to: &entry.pointee.d_name) {
            $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
        }
        guard number.first?.isNumber == true else { continue }
        let thread = try statistics("\(tasks)/\(number)/stat")
        if thread.name.hasPrefix(name) { named += thread.seconds }
    }
    return (try statistics("/proc/\(process)/stat").seconds, named)
}

/// Name and processor seconds out of a `stat` file of /proc.
private func statistics(_ path: String) throws -> (name: String, seconds: Double) {
    guard let file = fopen(path, "r") else { throw BenchmarkError("\(path) cannot be read") }
    defer { fclose(file) }
    var buffer = [UInt8](repeating: 0, count: 1024)
    let count = fread(&buffer, 1, buffer.count, file)
    let text = String(decoding: buffer.prefix(count), as: UTF8.self)
    // The name, in brackets, may hold anything; the fields after it are numbers: utime and stime are the 14th and 15th.
    guard let start = text.firstIndex(of: "("), let bracket = text.lastIndex(of: ")") else {
        throw BenchmarkError("\(path) is not understood")
    }
    let fields = text[text.index(after: bracket)...].split(separator: " ")
    guard fields.count > 12, let user = Double(fields[11]), let system = Double(fields[12]) else {
        throw BenchmarkError("\(path) is not understood")
    }
    return (String(text[text.index(after: start)..<bracket]), (user + system) / Double(sysconf(Int32(_SC_CLK_TCK))))
}
