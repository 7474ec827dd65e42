internal import CLinux
import Glibc

/// What the kernel says of this process.
public enum ProcessFacts {
    /// Processor time of all threads, nanoseconds.
    public static var processorNanoseconds: Int64 {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
    /// The process's number.
    public static var identifier: Int32 { getpid() }

    /// Bytes of memory in use; 0 where it cannot be told.
    public static var residentBytes: Int { pages(1) }
    /// Bytes of address space that are mapped; 0 where it cannot be told.
    public static var virtualBytes: Int { pages(0) }

    /// A word of statm, in bytes: 0 is the size of everything, 1 what is resident.
    private static func pages(_ place: Int) -> Int {
        let descriptor = open("/proc/self/statm", O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return 0 }
        defer { close(descriptor) }
        return withUnsafeTemporaryAllocation(byteCount: 256, alignment: 1) { buffer in
            let count = read(descriptor, buffer.baseAddress, buffer.count)
            guard count > 0 else { return 0 }
            let words = String(decoding: buffer[..<count], as: UTF8.self).split(separator: " ")
            return words.count > place ? (Int(words[place]) ?? 0) * Int(getpagesize()) : 0
        }
    }

    /// Open descriptors; 0 where it cannot be told.
    public static var openDescriptors: Int {
        // Without the directory's own.
        max(0, entries(of: "/proc/self/fd") - 1)
    }
    /// Threads; 0 where it cannot be told.
    public static var threads: Int { entries(of: "/proc/self/task") }

    private static func entries(of path: String) -> Int {
        guard let directory = opendir(path) else { return 0 }
        defer { closedir(directory) }
        var count = 0
        var name: UnsafePointer<CChar>?
        while clinux_next_entry(UnsafeMutableRawPointer(directory), &name) == 1 { count += 1 }
        // Without `.` and `..`.
        return max(0, count - 2)
    }

    /// Descriptors that the process may open.
    public static var descriptorLimit: Int {
        var limit = rlimit()
        return getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 ? Int(clamping: limit.rlim_cur) : 0
    }

    /// Lets the process open as many descriptors as it is allowed to, up to `most`: each connection takes one, and where they run
    /// out nobody can connect any more.
    public static func raiseDescriptorLimit(to most: Int) {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0, limit.rlim_cur < most else { return }
        limit.rlim_cur = min(limit.rlim_max, rlim_t(most))
        // Allowed up to the hard limit; where it fails all the same, the old limit stays.
        _ = setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    }
}
