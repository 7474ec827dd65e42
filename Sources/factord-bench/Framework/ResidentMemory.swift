import Glibc

/// Memory in use, as the system counts it.
enum ResidentMemory {
    /// Resident bytes of this process.
    static var bytes: Int { bytes(of: "self") ?? 0 }

    /// Resident bytes of a process: the second number of its `statm`, in pages. Nil where there is no such process.
    static func bytes(of process: String) -> Int? {
        guard let numbers = fileText("/proc/\(process)/statm")?.split(separator: " "), numbers.count > 1, let pages = Int(numbers[1]) else {
            return nil
        }
        return pages * Int(sysconf(CInt(_SC_PAGESIZE)))
    }
}
