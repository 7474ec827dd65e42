import Glibc
import LinuxSystem

/// Seconds that `body` takes.
func seconds(_ body: () throws -> Void) rethrows -> Double {
    let start = MonotonicClock.nanoseconds
    try body()
    return Double(MonotonicClock.nanoseconds - start) / 1e9
}

/// Processor seconds, user and system, that a process has taken so far.
func processorSeconds(of process: pid_t) throws -> Double {
    let path = "/proc/\(process)/stat"
    guard let file = fopen(path, "r") else { throw BenchmarkError("\(path) cannot be read") }
    defer { fclose(file) }
    var buffer = [UInt8](repeating: 0, count: 1024)
    let count = fread(&buffer, 1, buffer.count, file)
    let text = String(decoding: buffer.prefix(count), as: UTF8.self)
    // The name, in brackets, may hold anything; the fields after it are numbers: utime and stime are the 14th and 15th.
    guard let bracket = text.lastIndex(of: ")") else { throw BenchmarkError("\(path) is not understood") }
    let fields = text[text.index(after: bracket)...].split(separator: " ")
    guard fields.count > 12, let user = Double(fields[11]), let system = Double(fields[12]) else {
        throw BenchmarkError("\(path) is not understood")
    }
    return (user + system) / Double(sysconf(Int32(_SC_CLK_TCK)))
}
