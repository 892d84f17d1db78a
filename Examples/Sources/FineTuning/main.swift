// A model that PyTorch exported, run and trained further: Docs/Tutorial.md walks through it.
//
//   FineTuning MODEL.onnx DATA.safetensors STEPS LEARNING-RATE TUNED.onnx
//
// DATA holds `images`, float32 [N, C, H, W] as PyTorch has them, and `labels`, int32 [N]; all images are one batch.
import Foundation
import Tessera
import TesseraFormats
import TesseraONNX

struct Arguments {
  let model: String
  let data: String
  let steps: Int
  let learningRate: Float
  let tuned: String

  init?(_ arguments: [String]) {
    guard arguments.count == 5, let steps = Int(arguments[2]), steps >= 0, let learningRate = Float(arguments[3]) else {
      return nil
    }
    (model, data, self.steps) = (arguments[0], arguments[1], steps)
    (self.learningRate, tuned) = (learningRate, arguments[4])
  }
}

/// Channels last, as layers have them.
func channelsLast(_ images: Tensor) throws -> Tensor {
  let shape = images.type.shape
  let (n, c, pixels) = (shape[0], shape[1], shape[2] * shape[3])
  let elements = try images.elements(as: Float.self)
  var moved: [Float] = []
  moved.reserveCapacity(elements.count)
  for image in 0..<n {
    for pixel in 0..<pixels {
      for channel in 0..<c { moved.append(elements[(image * c + channel) * pixels + pixel]) }
    }
  }
  return try Tensor(moved, shape: [n, shape[2], shape[3], c])
}

/// Runs the model as it stands in its file: NCHW in, whatever it gives out.
func logits(_ path: String, _ images: Tensor) throws -> [Float] {
  let model = try ONNXModel(path: path).imported(ImportOptions(batch: images.type.shape[0]))
  let session = try model.session()
  let input = model.graph.inputs[0].name
  let output = model.graph.outputs[0].name
  guard let result = try session.run([input: images])[output] else { return [] }
  return try result.elements(as: Float.self)
}

/// The share of images whose largest logit is that of their label.
func accuracy(_ logits: [Float], _ labels: [Int32]) -> Double {
  let classes = logits.count / labels.count
  let hits = labels.indices.count { row in
    let scores = logits[row * classes..<(row + 1) * classes]
    return scores.indices.max { scores[$0] < scores[$1] } == scores.startIndex + Int(labels[row])
  }
  return Double(hits) / Double(labels.count)
}

func fineTune(_ arguments: Arguments) throws {
  let data = try SafetensorsFile(path: arguments.data)
  let images = try data.tensor(named: "images")
  let labels = try data.tensor(named: "labels")
  let classes = try labels.elements(as: Int32.self)
  print(String(format: "before: accuracy %.1f %%", 100 * accuracy(try logits(arguments.model, images), classes)))

  // The same model as a layer: in training it normalizes by the batch and drops, whatever it says of itself.
  let layer = try ONNXLayer(ONNXModel(path: arguments.model))
  let input = try channelsLast(images)
  let inputShape = Shape(Array(input.type.shape.dimensions.dropFirst()))
  let store = ParameterStore()
  let trainer = try Trainer(
    model: layer, inputShape: inputShape, batch: classes.count, loss: .softmaxCrossEntropy(),
    optimizer: .sgd(momentum: 0.9), store: store, options: .init(numerics: .exact))
  try store.set(layer.parameters(inputShape: inputShape))
  for step in 0..<arguments.steps {
    let loss = try trainer.step(input, labels, learningRate: arguments.learningRate).loss
    print("step \(step): loss \(loss)")
  }

  let tuned = try layer.graph(batch: classes.count, inputShape: inputShape)
  try ONNXExport.write(tuned, parameters: store.snapshot(), to: arguments.tuned)
  print(String(format: "after: accuracy %.1f %%", 100 * accuracy(try logits(arguments.tuned, images), classes)))
}

guard let arguments = Arguments(Array(CommandLine.arguments.dropFirst())) else {
  print("usage: FineTuning MODEL.onnx DATA.safetensors STEPS LEARNING-RATE TUNED.onnx")
  exit(64)
}
do {
  try fineTune(arguments)
} catch {
  print("error: \(error)")
  exit(1)
}
