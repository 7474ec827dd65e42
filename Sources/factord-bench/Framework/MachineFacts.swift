import Factorization
import Glibc
import StreamTools
import ZeroMQ

/// Where and when the figures were taken. A figure without these is none.
enum MachineFacts {
    /// Name and value, in the order in which they are shown.
    static var all: [(name: String, value: String)] {
        [
            ("date", date), ("processor", processor), ("caches", caches), ("memory", memory), ("system", system),
            ("kernels", "\(Kernels.best.variant)"), ("libzmq", ZeroMQVersion.description), ("load before", load),
        ].filter { !$0.1.isEmpty }
    }

    private static var date: String {
        var now = time(nil), parts = tm(), buffer = [CChar](repeating: 0, count: 64)
        gmtime_r(&now, &parts)
        let count = strftime(&buffer, buffer.count, "%Y-%m-%d %H:%M UTC", &parts)
        return text(buffer.prefix(count))
    }

    private static var processor: String {
        let lines = (fileText("/proc/cpuinfo") ?? "").split(separator: "\n")
        let model = lines.first { $0.hasPrefix("model name") }?.split(separator: ":").last.map { $0.drop { $0 == " " } } ?? "unknown"
        let path = "/sys/devices/system/cpu/cpu0/topology/thread_siblings_list"
        let siblings = fileText(path).map { ", on the first core: " + $0.filter { $0 != "\n" } } ?? ""
        return "\(model), \(sysconf(CInt(_SC_NPROCESSORS_ONLN))) processors\(siblings)"
    }

    /// Such as "L1d 32K, L2 1024K, L3 32768K", as the first processor sees them.
    private static var caches: String {
        (0..<8).compactMap { index in
            let path = "/sys/devices/system/cpu/cpu0/cache/index\(index)/"
            guard let level = line(path + "level"), let type = line(path + "type"), let size = line(path + "size"), type != "Instruction"
            else { return nil }
            return "L\(level)\(type == "Data" ? "d" : "") \(size)"
        }.joined(separator: ", ")
    }

    private static var memory: String {
        let pages = sysconf(CInt(_SC_PHYS_PAGES)), size = sysconf(CInt(_SC_PAGESIZE))
        let huge = line("/sys/kernel/mm/transparent_hugepage/enabled").map { ", huge pages \($0)" } ?? ""
        return Quantity.bytes(Int(pages) * Int(size)) + huge
    }

    private static var system: String {
        ["ostype", "osrelease"].compactMap { line("/proc/sys/kernel/\($0)") }.joined(separator: " ")
    }

    private static var load: String { (line("/proc/loadavg") ?? "").split(separator: " ").prefix(3).joined(separator: " ") }

    private static func line(_ path: String) -> String? { fileText(path)?.split(separator: "\n").first.map(String.init) }
    private static func text(_ characters: some Collection<CChar>) -> String {
        String(decoding: characters.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
