public import Foundation
import SwiftProtobuf
public import TesseraGraph
public import TesseraRuntime

/// Graphs as models in the ONNX format, for inference elsewhere.
///
/// Images are [N, C, H, W] in the model, weights as they are published: [K, C, R, S] of convolutions, [K, C] of dense
/// layers, their columns in the order of flattened [C, H, W]. Parameters keep their names.
public enum ONNXExport {
  /// The version of the standard operators.
  public static let opset = 20

  /// The model's bytes.
  /// - Parameters:
  ///   - graph: of inference; its inputs of rank 4 are images [N, H, W, C].
  ///   - parameters: values of its variables, as a store gives them (``ParameterStore/snapshot()``).
  ///   - imageInputs: false: inputs are in the model as they are in the graph, those of an imported one for instance.
  /// - Throws: ``TesseraError/Code/unsupported`` that lists every operation without a counterpart;
  ///   ``TesseraError/Code/notFound`` for a parameter without a value.
  public static func data(_ graph: Graph, parameters: [String: Tensor], imageInputs: Bool = true) throws(TesseraError)
    -> Data
  {
    var exporter = Exporter(graph: try Simplification.run(graph), parameters: parameters)
    try exporter.export(imageInputs: imageInputs)
    var model = Onnx_ModelProto()
    // The first version of the format that has these operators.
    model.irVersion = 9
    model.producerName = "Tessera"
    model.producerVersion = PackageVersion.current
    var standard = Onnx_OperatorSetIdProto()
    standard.version = Int64(opset)
    model.opsetImport = [standard]
    model.graph = exporter.model
    do {
      return try model.serializedData()
    } catch {
      throw TesseraError(
        .invalidData, at: "model", expected: "a model of less than 2 GiB", found: "\(error)", underlying: error)
    }
  }

  /// Writes the model to a file, which is there whole or not at all.
  public static func write(
    _ graph: Graph, parameters: [String: Tensor], imageInputs: Bool = true, to path: String
  ) throws(TesseraError) {
    try ONNXTensor.write(data(graph, parameters: parameters, imageInputs: imageInputs), to: path)
  }
}
