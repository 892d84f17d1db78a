import ArgumentParser
import Foundation
import Tessera
import TesseraNetworks
import TesseraONNX

struct ExportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "export", abstract: "Writes a network as an ONNX model, with a run of it as a test.",
    discussion: """
      Networks are those of the network command, with random weights. DIR gets model.onnx and test_data_set_0 with \
      random images [N, C, H, W] and the outputs that Tessera computes of them: a test for the conformance command, \
      and for any other engine.
      """
        + "\n\n" + examples("export resnet18 DIR"))

  @Argument(help: "The network's name.")
  var network: String

  @Argument(help: "The folder to write.")
  var directory: String

  @Option(help: "Images a batch.")
  var batch = 2

  @OptionGroup var random: SeedOption

  @OptionGroup(title: "Machine") var machine: MachineOptions

  @OptionGroup(title: "Output") var output: OutputOptions

  func validate() throws {
    guard (1...1 << 20).contains(batch) else {
      throw ValidationError("--batch: expected 1 to \(1 << 20), found \(batch)")
    }
  }

  func run() throws {
    let network = try NetworkCatalogue.network(named: network)
    let graph = try network.model.graph(batch: batch)
    let store = ParameterStore(seed: random.seed)
    let session = try Session(
      Program(graph, options: machine.programOptions()), store: store, workers: machine.resolvedWorkers())
    let image = network.inputShape
    let shape: Shape = [batch, image[0], image[1], image[2]]
    let images: HostTensor<Float> = try .normal(shape.count, seed: random.seed)
    let input = try Tensor(TensorType(shape), bytes: UnsafeRawBufferPointer(images.bytes))
    let outputs = try session.run(["input": input])

    try output.write(machine, measures: false) { writer in
      try export(graph, store, input, outputs)
      try writer.write(
        Exported(network: network.name, batch: batch, directory: directory),
        text: "\(network.name), batch \(batch), written to \(directory)")
    }
  }

  private func export(_ graph: Graph, _ store: ParameterStore, _ input: Tensor, _ outputs: [String: Tensor]) throws {
    let data = URL(fileURLWithPath: directory).appendingPathComponent("test_data_set_0")
    do {
      try FileManager.default.createDirectory(at: data, withIntermediateDirectories: true)
    } catch {
      throw TesseraError(
        .unwritableOutput, at: directory, expected: "a folder that can be written to", found: error.localizedDescription
      )
    }
    try ONNXExport.write(graph, parameters: store.snapshot(), to: "\(directory)/model.onnx")
    try write(input, "input", to: data.appendingPathComponent("input_0.pb"))
    for (name, output) in outputs { try write(output, name, to: data.appendingPathComponent("output_0.pb")) }
  }

  /// Images as the model has them.
  private func write(_ tensor: Tensor, _ name: String, to file: URL) throws(TesseraError) {
    var tensor = tensor
    if tensor.shape.rank == 4 {
      let elements = try tensor.elements(as: Float.self)
      let (n, h, w, c) = (tensor.shape[0], tensor.shape[1], tensor.shape[2], tensor.shape[3])
      var moved: [Float] = []
      moved.reserveCapacity(elements.count)
      for image in 0..<n {
        for channel in 0..<c {
          for pixel in 0..<h * w { moved.append(elements[(image * h * w + pixel) * c + channel]) }
        }
      }
      tensor = try Tensor(moved, shape: [n, c, h, w])
    }
    try ONNXTensor.write(tensor, name: name, to: file.path)
  }
}

/// What was written.
private struct Exported: Record {
  static let recordName = "export"

  let network: String
  let batch: Int
  let directory: String
}
