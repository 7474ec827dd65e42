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

/// Processor seconds, user and system, that a process's present threads have taken so far: all of them, and those of which
/// the name begins with `name`. By the scheduler's own account, to the nanosecond; `stat` counts in hundredths of a second.
func processorSeconds(of process: pid_t, threads name: String) throws -> (all: Double, threads: Double) {
    let tasks = "/proc/\(process)/task"
    guard let directory = opendir(tasks) else { throw BenchmarkError("\(tasks) cannot be read") }
    defer { closedir(directory) }
    var all = 0.0, named = 0.0
    while let entry = readdir(directory) {
        let number = withUnsafePointer(to: &entry.pointee.d_name) {
            $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
        }
        guard number.first?.isNumber == true else { continue }
        // A thread may end between two looks.
        guard let taken = fileText("\(tasks)/\(number)/schedstat")?.split(separator: " ").first.flatMap({ Double($0) }),
            let thread = fileText("\(tasks)/\(number)/comm")
        else { continue }
        all += taken / 1e9
        if thread.hasPrefix(name) { named += taken / 1e9 }
    }
    return (all, named)
}

/// The beginning of a small file, such as those of /proc; nil where it cannot be read.
func fileText(_ path: String) -> String? {
    guard let file = fopen(path, "r") else { return nil }
    defer { fclose(file) }
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    let count = fread(&buffer, 1, buffer.count, file)
    return String(decoding: buffer.prefix(count), as: UTF8.self)
}
