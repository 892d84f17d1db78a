// swift-tools-version: 6.2
import PackageDescription

// The three engine modules and everything around them. Arrows point one way: Graph and Kernels import nothing of ours,
// Runtime imports both, everything else imports Runtime. See Docs/Architecture.md.

/// Settings of every Swift target: imports are what a file says, and nothing else.
let strict: [SwiftSetting] =
  [
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("ExistentialAny"),
  ] + (Context.environment["TESSERA_WARNINGS"] == "errors" ? [.treatAllWarnings(as: .error)] : [])

/// One kernel source, compiled once for each instruction set (the `Vectorized` links below `Sources/Kernels`).
func kernelTarget(_ name: String, folder: String, define: String, flags: [String]) -> Target {
  .target(
    name: name,
    dependencies: ["TesseraKernelContract", "CTesseraShims"],
    path: "Sources/Kernels/\(folder)",
    swiftSettings: strict + [
      .define(define),
      // Kernels are measured, and far too slow to test, without optimisation: they are optimised in debug builds too.
      // A square root is one instruction where the C library isn't owed an error number.
      .unsafeFlags(["-O"] + (["-fno-math-errno"] + flags).flatMap { ["-Xcc", $0] }),
    ])
}

// A manifest runs on the build host: on other architectures the x86 targets don't exist, and the baseline serves.
#if arch(x86_64)
  let vectorTargets = [
    kernelTarget(
      "TesseraKernelsX86AVX2", folder: "AVX2", define: "TESSERA_AVX2", flags: ["-march=x86-64-v3"]),
    kernelTarget(
      "TesseraKernelsX86AVX512", folder: "AVX512", define: "TESSERA_AVX512",
      flags: ["-march=x86-64-v4", "-mprefer-vector-width=512"]),
  ]
#else
  let vectorTargets: [Target] = []
#endif

let package = Package(
  name: "Tessera",
  platforms: [.macOS(.v26)],
  products: [
    .library(name: "Tessera", targets: ["Tessera"]),
    .library(name: "TesseraData", targets: ["TesseraData"]),
    .library(name: "TesseraFormats", targets: ["TesseraFormats"]),
    .library(name: "TesseraNetworks", targets: ["TesseraNetworks"]),
    .library(name: "TesseraTraining", targets: ["TesseraTraining"]),
    .library(name: "TesseraONNX", targets: ["TesseraONNX"]),
    .executable(name: "engine-bench", targets: ["engine-bench"]),
  ],
  dependencies: [
    .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift", from: "0.2.0"),
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
    .package(url: "https://github.com/apple/swift-numerics", from: "1.1.1"),
    .package(url: "https://github.com/apple/swift-protobuf", from: "1.39.0"),
    .package(url: "https://github.com/hummingbird-project/swift-mustache", from: "2.1.1"),
  ],
  targets: [
    .systemLibrary(
      name: "CHwloc", pkgConfig: "hwloc", providers: [.apt(["libhwloc-dev"]), .brew(["hwloc"])]),
    .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
    .target(name: "CTesseraShims"),
    .target(name: "CDigits", exclude: ["LICENSE.md", "digits"]),
    .target(name: "TesseraGraph", path: "Sources/Graph", swiftSettings: strict),
    .target(name: "TesseraKernelContract", path: "Sources/Kernels/Contract", swiftSettings: strict),
    kernelTarget(
      "TesseraKernelsBaseline", folder: "Baseline", define: "TESSERA_BASELINE", flags: []),
  ] + vectorTargets + [
    .target(
      name: "TesseraKernels",
      dependencies: [
        "TesseraKernelContract", "CTesseraShims",
        .product(name: "RealModule", package: "swift-numerics"),
      ] + (vectorTargets.map { .target(name: $0.name) }) + ["TesseraKernelsBaseline"],
      path: "Sources/Kernels/Catalogue",
      // The reference loops are the tests' oracle, and far too slow without optimisation.
      swiftSettings: strict + [.unsafeFlags(["-O"])]),
    .target(
      name: "TesseraRuntime",
      dependencies: [
        "TesseraGraph", "TesseraKernels", "CHwloc", "CTesseraShims",
        .product(name: "Logging", package: "swift-log"),
        .product(name: "CoreMetrics", package: "swift-metrics"),
      ],
      path: "Sources/Runtime", swiftSettings: strict),
    .target(
      name: "Tessera", dependencies: ["TesseraGraph", "TesseraRuntime"], swiftSettings: strict),
    .target(
      name: "TesseraData", dependencies: ["TesseraGraph", "CZlib", "CDigits"], path: "Sources/Data",
      swiftSettings: strict),
    .target(
      name: "TesseraFormats", dependencies: ["TesseraGraph", "TesseraRuntime", "CZlib"], path: "Sources/Formats",
      swiftSettings: strict),
    .target(
      name: "TesseraNetworks", dependencies: ["Tessera", "TesseraFormats"], path: "Sources/Networks",
      swiftSettings: strict),
    // What is right, and how far results may be from it: for tests, and for machines to be trusted (engine-bench verify).
    .target(
      name: "TesseraVerification", dependencies: ["Tessera", "TesseraKernels"], path: "Sources/Verification",
      swiftSettings: strict),
    .target(
      name: "TesseraTraining", dependencies: ["Tessera", "TesseraRuntime", "TesseraData", "TesseraFormats"],
      path: "Sources/Training", swiftSettings: strict),
    .target(
      name: "TesseraONNX",
      dependencies: ["TesseraGraph", "TesseraRuntime", .product(name: "SwiftProtobuf", package: "swift-protobuf")],
      path: "Sources/ONNX", swiftSettings: strict),
    .executableTarget(
      name: "engine-bench",
      dependencies: [
        "Tessera", "TesseraData", "TesseraFormats", "TesseraNetworks", "TesseraONNX", "TesseraKernels",
        "TesseraRuntime", "TesseraTraining", "TesseraVerification",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "Histogram", package: "hdrhistogram-swift"),
        .product(name: "Logging", package: "swift-log"),
        .product(name: "Mustache", package: "swift-mustache"),
      ],
      path: "Sources/EngineBench", swiftSettings: strict),
    .target(name: "CAllocationCounter", path: "Tests/CAllocationCounter"),
    .target(name: "CTestSettings", path: "Tests/CTestSettings"),
    .testTarget(
      name: "RuntimeTests",
      dependencies: [
        "Tessera", "TesseraKernels", "TesseraNetworks", "TesseraVerification", "CAllocationCounter", "CTestSettings",
        "CTesseraShims",
        .product(name: "CoreMetrics", package: "swift-metrics"),
        .product(name: "MetricsTestKit", package: "swift-metrics"),
      ],
      swiftSettings: strict),
    .testTarget(
      name: "EngineBenchTests", dependencies: ["engine-bench", "TesseraFormats"], swiftSettings: strict),
    .testTarget(
      name: "DataTests", dependencies: ["TesseraData", "TesseraGraph", "CZlib"],
      swiftSettings: strict),
    .testTarget(
      name: "FormatTests", dependencies: ["Tessera", "TesseraFormats", "TesseraNetworks"], swiftSettings: strict),
    .testTarget(
      name: "TrainingTests", dependencies: ["Tessera", "TesseraData", "TesseraFormats", "TesseraTraining"],
      swiftSettings: strict),
    .testTarget(name: "GraphTests", dependencies: ["TesseraGraph"], swiftSettings: strict),
    .testTarget(
      name: "KernelTests",
      dependencies: ["TesseraKernels", "TesseraVerification", .product(name: "RealModule", package: "swift-numerics")],
      path: "Tests/KernelTests", swiftSettings: strict),
    .testTarget(
      name: "NetworkTests", dependencies: ["Tessera", "TesseraKernels", "TesseraNetworks"], swiftSettings: strict),
    .testTarget(
      name: "ONNXTests", dependencies: ["Tessera", "TesseraNetworks", "TesseraONNX"], swiftSettings: strict),
    .testTarget(
      name: "FixtureTests", dependencies: ["Tessera", "TesseraKernels"], swiftSettings: strict),
  ]
)
