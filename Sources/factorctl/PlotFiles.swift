import Foundation
import LinuxSystem
import StreamTools

/// Plots as files: SVG, and PNG where `rsvg-convert` is there to draw it.
enum PlotFiles {
    /// Writes `DIRECTORY/NAME.svg` and `NAME.png` for each; says what was written, and once what was not.
    static func write(_ plots: [(name: String, plot: LinePlot)], to directory: String) throws {
        guard !plots.isEmpty else { return note("nothing to plot") }
        _ = try Directory.create(directory, permissions: 0o755)
        let converter = program("rsvg-convert")
        for (name, plot) in plots {
            let svg = "\(directory)/\(name).svg"
            try TextFile.write(plot.svg(), to: svg)
            guard let converter else { continue }
            try run(converter, ["--zoom=2", "--output=\(directory)/\(name).png", svg])
        }
        note("Plots: \(directory)/{\(plots.map(\.name).joined(separator: ","))}.\(converter == nil ? "svg" : "{svg,png}")")
        if converter == nil { note("No PNG: rsvg-convert is not installed (apt-get install librsvg2-bin).") }
    }

    /// Where a program lies, nil where it is not installed.
    private static func program(_ name: String) -> String? {
        (ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin").split(separator: ":").map { "\($0)/\(name)" }
            .first { FileManager.default.isExecutableFile(atPath: $0) }
    }

    private static func run(_ path: String, _ arguments: [String]) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: path)
        process.arguments = arguments
        try process.run()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw PlotError(program: path, status: process.terminationStatus) }
    }
}

/// A plot could not be drawn.
struct PlotError: Error, CustomStringConvertible {
    let program: String
    let status: Int32
    var description: String { "\(program) ended with \(status); the SVG stands" }
}
