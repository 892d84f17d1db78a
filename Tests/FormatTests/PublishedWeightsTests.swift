import Foundation
import Tessera
import TesseraFormats
import TesseraNetworks
import Testing

@Suite("Published weights")
struct PublishedWeightsTests {
  /// The network of Tests/Fixtures/make-safetensors-fixtures.py, by PyTorch's names.
  static func model(classes: Int = 5) -> Sequential {
    Sequential(inputShape: [6, 8, 2]) {
      Conv2D(6, kernelSize: 3, padding: .half, name: "0")
      BatchNorm2D(name: "1")
      ReLU()
      Conv2D(6, kernelSize: 3, groups: 3, useBias: false, name: "3")
      ConvTranspose2D(4, kernelSize: 2, stride: 2, name: "4")
      Flatten()
      Dense(classes, activation: .softmax, name: "6")
    }
  }

  @Test("PyTorch's weights give PyTorch's results, and are written back as they were")
  func agreesWithPyTorch() throws {
    let file = try SafetensorsFile(path: fixture("network"))
    let run = try SafetensorsFile(path: fixture("network-run"))
    let store = ParameterStore()
    try store.load(file, for: Self.model())
    let session = try Session(Program(Self.model().graph(batch: 3)), store: store)
    let output = try session.run(["input": run.tensor(named: "input")])["output"]
    let expected = try run.tensor(named: "output").elements(as: Float.self)
    for (found, expected) in zip(try #require(output).elements(as: Float.self), expected) {
      #expect(abs(found - expected) <= 1e-5)
    }
    let published = try store.published(Self.model())
    let weights = file.entries.map(\.name).filter { !$0.hasSuffix("num_batches_tracked") }
    #expect(Set(published.keys) == Set(weights))
    for name in weights { #expect(try bits(file.tensor(named: name)) == bits(#require(published[name]))) }
  }

  @Test("All that doesn't fit is one error, and nothing is set")
  func mismatches() throws {
    let file = try SafetensorsFile(path: fixture("network"))
    let store = ParameterStore()
    try store.add(Self.model(classes: 4).graph(batch: 1))
    let before = try store.snapshot().mapValues(bits)
    expectError(
      .invalidFile, "network.safetensors", "6.bias [5] instead of [4], 6.weight [5, 384] instead of [4, 384]"
    ) {
      try store.load(file, for: Self.model(classes: 4))
    }
    let other = Sequential(inputShape: [6, 8, 2]) {
      Conv2D(6, kernelSize: 3, padding: .half, name: "0")
      BatchNorm2D(name: "one")
    }
    expectError(
      .invalidFile, "missing: one.bias, one.running_mean, one.running_var, one.weight",
      "unexpected: 1.bias, 1.running_mean, 1.running_var, 1.weight, 3.weight, 4.bias, 4.weight, 6.bias, 6.weight"
    ) { try store.load(file, for: other) }
    #expect(try store.snapshot().mapValues(bits) == before)

    try store.load(file, for: Self.model(classes: 4), except: ["6"])
    #expect(try store.snapshot().mapValues(bits)["6.weight"] == before["6.weight"])
    #expect(try #require(try store["0.bias"]).elements(as: Float.self) == file.tensor(named: "0.bias").elements())
    expectError(.notFound, "\"7\"") { try store.load(file, for: Self.model(), except: ["7"]) }
    expectError(.notFound, "0.bias") { _ = try ParameterStore().published(Self.model()) }
  }

  @Test(
    "Networks' weights come back as they were written", arguments: ["lenet5", "squeezenet1_1", "unet", "cifar_vgg"])
  func roundTrips(_ name: String) throws {
    let model = try NetworkCatalogue.network(named: name).model
    let store = ParameterStore(seed: 4)
    try store.add(model.graph(batch: 1))
    try withTemporaryFolder { folder in
      try SafetensorsFile.write(store.published(model), to: "\(folder)/weights")
      let other = ParameterStore(seed: 5)
      try other.load(SafetensorsFile(path: "\(folder)/weights"), for: model)
      #expect(try other.snapshot().mapValues(bits) == store.snapshot().mapValues(bits))
    }
  }
}
