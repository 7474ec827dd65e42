import Foundation
import Testing

/// The kernels for 64-bit Arm, as far as a machine of another kind can tell: that they compile, and to NEON's multiply-adds. Nothing
/// here runs or measures them.
@Suite struct ArmKernelTests {
    private static let clang = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").map { "\($0)/clang" }
        .first { FileManager.default.isExecutableFile(atPath: $0) }
    private static let sources = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appendingPathComponent("Sources/CKernels")

    /// What the kernels need is the compiler's own, so that no C library for Arm has to be there; but for `memory.c`, which asks the
    /// system for memory.
    @Test(.enabled(if: clang != nil, "there is no clang on PATH")) func compileToMultiplyAdds() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("factord-arm-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let files = try FileManager.default.contentsOfDirectory(atPath: Self.sources.path).filter { $0.hasSuffix(".c") && $0 != "memory.c" }
        #expect(files.contains("kernels_portable.c") && files.contains("scan.c"))

        let compiler = Process(), errors = folder.appendingPathComponent("errors")
        _ = FileManager.default.createFile(atPath: errors.path, contents: nil)
        compiler.executableURL = URL(fileURLWithPath: try #require(Self.clang))
        compiler.arguments =
            ["--target=aarch64-linux-gnu", "-ffreestanding", "-nostdlibinc", "-O2", "-Wall", "-Werror", "-S", "-I", Self.sources.path + "/include"]
            + files.map { "\(Self.sources.path)/\($0)" }
        compiler.currentDirectoryURL = folder
        compiler.standardError = try FileHandle(forWritingTo: errors)
        try compiler.run()
        compiler.waitUntilExit()
        let said = try String(contentsOf: errors, encoding: .utf8)
        try #require(compiler.terminationStatus == 0, "\(said.prefix(2000))")

        for name in ["kernels_portable", "scan"] {
            let lines = try String(contentsOf: folder.appendingPathComponent(name + ".s"), encoding: .utf8).split(separator: "\n")
            // Four floats at once, and none of them by a call.
            #expect(lines.count { $0.contains("\tfmla\t") && $0.contains(".4s") } > 10, "\(name)")
            #expect(!lines.contains { $0.contains("\tbl\tfmaf") }, "\(name)")
        }
    }
}
