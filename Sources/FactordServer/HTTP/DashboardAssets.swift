import Foundation

/// The dashboard's files: a page, its style and scripts, and the chart library, which is Debian's. Read once, at the start; what is served is what was
/// found then, by name, so that no request ever names a file of the system.
struct DashboardAssets: Sendable {
    struct Asset: Sendable {
        let content: HTTPResponse.Content
        let body: [UInt8]
    }

    /// By path: `/` and `/dashboard/NAME`.
    private(set) var assets: [String: Asset] = [:]
    /// What is missing, and what to do about it; nil where nothing is.
    private(set) var problem: String?

    static let none = DashboardAssets()
    /// Where packages put the files, and where Debian's libjs-chart.js puts its own.
    static let installed = "/usr/share/factord/dashboard"
    static let chartLibrary = "/usr/share/javascript/chart.js/chart.min.js"
    private static let chartName = "chart.min.js"
    private static let fileLimit = 64, byteLimit = 2 << 20

    private init() {}

    /// Reads the files of a folder; without one, of `Deploy/dashboard` in the checkout that the program was built in, else of the installed folder.
    init(folder: String?) {
        let candidates = folder.map { [$0] } ?? DashboardAssets.besideTheProgram + [DashboardAssets.installed]
        guard let found = candidates.first(where: { FileManager.default.fileExists(atPath: $0 + "/index.html") }) else {
            problem = "the dashboard's files are in none of \(candidates.joined(separator: ", ")); http.assets names their folder"
            return
        }
        let names = ((try? FileManager.default.contentsOfDirectory(atPath: found)) ?? []).sorted().prefix(DashboardAssets.fileLimit)
        for name in names { add("/dashboard/\(name)", "\(found)/\(name)") }
        assets["/"] = assets["/dashboard/index.html"]
        let library = "/dashboard/\(DashboardAssets.chartName)"
        if assets[library] == nil { add(library, DashboardAssets.chartLibrary) }
        if assets[library] == nil {
            problem = "no charts: install Debian's libjs-chart.js, which gives \(DashboardAssets.chartLibrary), or put \(DashboardAssets.chartName) into \(found); then restart"
        }
    }

    private mutating func add(_ path: String, _ file: String) {
        guard let content = DashboardAssets.content(of: file), let data = FileManager.default.contents(atPath: file), data.count <= DashboardAssets.byteLimit else { return }
        assets[path] = Asset(content: content, body: [UInt8](data))
    }

    private static func content(of file: String) -> HTTPResponse.Content? {
        switch file.split(separator: ".").last {
        case "html": .html
        case "css": .style
        case "js": .script
        case "svg": .picture
        default: nil
        }
    }

    /// `Deploy/dashboard` in the folders above the program.
    private static var besideTheProgram: [String] {
        guard let program = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe") else { return [] }
        var folders: [String] = [], folder = URL(fileURLWithPath: program).deletingLastPathComponent()
        while folder.pathComponents.count > 1, folders.count < 8 {
            folders.append(folder.appendingPathComponent("Deploy/dashboard").path)
            folder.deleteLastPathComponent()
        }
        // Only in a checkout of this package: elsewhere such a folder could be anybody's.
        return folders.filter { FileManager.default.fileExists(atPath: $0 + "/../../Package.swift") }
    }

    /// What a browser may do on the page: run and show nothing but these files, ask nobody but this daemon, and be in no other page.
    static let policy = """
        Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; \
        form-action 'none'; frame-ancestors 'none'\r\nReferrer-Policy: no-referrer\r\nCross-Origin-Opener-Policy: same-origin\r\n
        """

    /// The answer to a path; nil where nothing is.
    func response(_ path: String) -> HTTPResponse? {
        guard let asset = assets[path] else { return nil }
        return HTTPResponse(content: asset.content, body: asset.body, fields: DashboardAssets.policy)
    }
}
