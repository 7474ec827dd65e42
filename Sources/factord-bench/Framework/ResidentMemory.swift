import Glibc

/// Memory of this process that is in use, as the system counts it.
enum ResidentMemory {
    /// Resident bytes: the second number of its statm, in pages.
    static var bytes: Int { bytes(of: getpid()) }

    /// The same of another process.
    static func bytes(of process: pid_t) -> Int {
        guard let file = fopen("/proc/\(process)/statm", "r") else { return 0 }
        defer { fclose(file) }
        var line = [CChar](repeating: 0, count: 128)
        guard fgets(&line, CInt(line.count), file) != nil else { return 0 }
        let numbers = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self).split(separator: " ")
        return numbers.count > 1 ? (Int(numbers[1]) ?? 0) * Int(sysconf(CInt(_SC_PAGESIZE))) : 0
    }
}
