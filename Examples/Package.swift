// swift-tools-version: 6.2
import PackageDescription

let package = Package(
  name: "Examples",
  platforms: [.macOS(.v26)],
  dependencies: [.package(name: "Tessera", path: "..")],
  targets: [
    .executableTarget(
      name: "Embedding", dependencies: [.product(name: "Tessera", package: "Tessera")]),
    .executableTarget(
      name: "FineTuning",
      dependencies: [
        .product(name: "Tessera", package: "Tessera"), .product(name: "TesseraFormats", package: "Tessera"),
        .product(name: "TesseraONNX", package: "Tessera"),
      ]),
  ]
)
