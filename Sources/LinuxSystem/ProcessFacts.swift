internal import CLinux
import Glibc

/// What the kernel says of this process.
public enum ProcessFacts {
    /// The process's number.
    public static var identifier: Int32 { getpid() }

    /// Bytes of memory in use; 0 where it cannot be told.
    public static var residentBytes: Int {
        let descriptor = open("/proc/self/statm", O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return 0 }
        defer { close(descriptor) }
        return withUnsafeTemporaryAllocation(byteCount: 256, alignment: 1) { buffer in
            let count = read(descriptor, buffer.baseAddress, buffer.count)
            guard count > 0 else { return 0 }
            // The size of everything, then what is resident, in pages.
            let words = String(decoding: buffer[..<count], as: UTF8.self).split(separator: " ")
            return words.count > 1 ? (Int(words[1]) ?? 0) * Int(getpagesize()) : 0
        }
    }

    /// Open descriptors; 0 where it cannot be told.
    public static var openDescriptors: Int {
        guard let directory = opendir("/proc/self/fd") else { return 0 }
        defer { closedir(directory) }
        var count = 0
        var name: UnsafePointer<CChar>?
        while clinux_next_entry(UnsafeMutableRawPointer(directory), &name) == 1 { count += 1 }
        // Without `.`, `..` and the directory's own.
        return max(0, count - 3)
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
