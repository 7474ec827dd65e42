// swift-tools-version: 6.2
import PackageDescription

/// Every Swift target: Swift 6 language mode, warnings are errors, `any` is written out.
let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

/// Targets that have no business with pointers: an unsafe construct there needs an `unsafe` marker to compile.
let memorySafe: [SwiftSetting] = strict + [.strictMemorySafety()]

let yardstickMachine = Context.environment["YARDSTICK_MARCH"] ?? "native"

let package = Package(
    name: "factord",
    products: [
        .executable(name: "factord", targets: ["factord"]),
        .executable(name: "factorctl", targets: ["factorctl"]),
        .executable(name: "factord-bench", targets: ["factord-bench"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
        .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift", from: "0.2.0"),
    ],
    targets: [
        // Foreign code, each behind one Swift module.
        // Optimised in debug builds, too: tests have to see what the compiler makes of the kernels, such as which products it rounds.
        .target(name: "CKernels", cSettings: [.unsafeFlags(["-O2"], .when(configuration: .debug))]),
        .target(name: "CLinux"),
        // The yardstick of factord-bench: plain C and bare libzmq, built for the machine it is built on, or for another one
        // that is to measure: YARDSTICK_MARCH=znver4 swift build ...
        .target(
            name: "CYardstick",
            cSettings: [.unsafeFlags(["-O3", "-march=\(yardstickMachine)", "-ffast-math"])],
            linkerSettings: [.linkedLibrary("zmq")]),
        .systemLibrary(name: "CZeroMQ"),
        .systemLibrary(name: "CZlib"),
        .systemLibrary(name: "CLAPACK"),
        .target(
            name: "CSimdJSON",
            cxxSettings: [.define("SIMDJSON_EXCEPTIONS", to: "0")],
            linkerSettings: [.linkedLibrary("simdjson")]),

        // The core: ids, tables, models, sequencer, trainers, retrieval. No I/O, clock, log or Foundation.
        .target(name: "Factorization", dependencies: ["CKernels"], swiftSettings: strict),

        // The borders: one room for each.
        .target(name: "LinuxSystem", dependencies: ["CLinux"], swiftSettings: strict),
        .target(name: "WireFormats", dependencies: ["Factorization", "CSimdJSON"], swiftSettings: strict),
        .target(name: "Persistence", dependencies: ["Factorization", "CKernels", "LinuxSystem"], swiftSettings: strict),
        .target(name: "ZeroMQ", dependencies: ["CZeroMQ", "LinuxSystem"], swiftSettings: strict),

        // The daemon, and what feeds and asks it.
        .target(
            name: "FactordServer",
            dependencies: [
                "Factorization", "WireFormats", "Persistence", "ZeroMQ", "LinuxSystem", "Yams",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Histogram", package: "hdrhistogram-swift"),
            ],
            exclude: ["Requests/README.md"],
            swiftSettings: strict),
        .target(
            name: "StreamTools", dependencies: ["Factorization", "WireFormats", "Persistence", "ZeroMQ", "LinuxSystem", "CZlib"],
            swiftSettings: strict),
        // Closed forms: matrices through LAPACK, the learners that alternate, and the studies.
        .target(name: "LinearAlgebra", dependencies: ["Factorization", "CLAPACK"], swiftSettings: strict),
        .target(name: "Alternating", dependencies: ["LinearAlgebra", "Factorization"], swiftSettings: memorySafe),
        .target(
            name: "Studies", dependencies: ["Alternating", "LinearAlgebra", "Factorization", "FactordServer", "StreamTools", "LinuxSystem"],
            swiftSettings: memorySafe),
        .executableTarget(
            name: "factord",
            dependencies: ["FactordServer", .product(name: "ArgumentParser", package: "swift-argument-parser")],
            swiftSettings: memorySafe),
        .executableTarget(
            name: "factorctl",
            dependencies: [
                "FactordServer", "Factorization", "Persistence", "StreamTools", "WireFormats", "ZeroMQ", "LinuxSystem",
                "Studies", "Alternating", "LinearAlgebra",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: memorySafe),
        .executableTarget(
            name: "factord-bench",
            dependencies: [
                "FactordServer", "Factorization", "WireFormats", "Persistence", "StreamTools", "ZeroMQ", "LinuxSystem", "CKernels",
                "CYardstick",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            exclude: ["README.md"],
            swiftSettings: strict),

        .testTarget(name: "TidyTests", swiftSettings: strict),
        .testTarget(name: "FactorizationTests", dependencies: ["Factorization", "CKernels"], swiftSettings: strict),
        .testTarget(name: "WireFormatsTests", dependencies: ["WireFormats", "Factorization"], swiftSettings: strict),
        .testTarget(name: "PersistenceTests", dependencies: ["Persistence", "Factorization", "LinuxSystem"], swiftSettings: strict),
        .testTarget(name: "ZeroMQTests", dependencies: ["ZeroMQ", "LinuxSystem"], swiftSettings: strict),
        .testTarget(name: "StreamToolsTests", dependencies: ["StreamTools", "WireFormats", "Factorization", "ZeroMQ", "LinuxSystem", "CZlib"], swiftSettings: strict),
        .testTarget(name: "AlternatingTests", dependencies: ["Alternating", "LinearAlgebra", "Factorization", "StreamTools"], swiftSettings: strict),
        .testTarget(
            name: "StudiesTests", dependencies: ["Studies", "Alternating", "LinearAlgebra", "Factorization", "StreamTools"], swiftSettings: strict),
        .testTarget(
            name: "FactordServerTests",
            dependencies: [
                "FactordServer", "Factorization", "WireFormats", "Persistence", "LinuxSystem", "ZeroMQ",
                .product(name: "Logging", package: "swift-log"),
            ], swiftSettings: strict),
        .testTarget(
            name: "DaemonTests",
            dependencies: ["FactordServer", "ZeroMQ", "StreamTools", "WireFormats", "LinuxSystem", "factord", "factorctl", "factord-bench"], exclude: ["Python"],
            swiftSettings: strict),
    ],
    cLanguageStandard: .gnu17,
    cxxLanguageStandard: .cxx20
)
