import Tessera
import TesseraKernels

/// One operator on operands of given types: what is measured, and how many bytes it has to move.
struct OperationProblem {
  /// What an operand holds.
  enum Content {
    /// Unit-normal floats.
    case normal
    /// Ones: a variance.
    case ones
    /// Integers from 0 on, below a limit: masks of pooling, labels.
    case below(Int)
    /// A scalar: a learning rate, a seed, a step.
    case scalar
    /// A variable of the store, which may be prepared (weights) or replaced by the result (updates).
    case variable
  }

  struct Operand {
    let type: TensorType
    let content: Content
    /// How often the formula needs it: twice where a sum over all of it comes before the result.
    var passes = 1
  }

  /// As in `max_pool3x3s2.c64`.
  let name: String
  let pass: String
  let operation: any Operation
  let inputs: [Operand]
  let outputs: [TensorType]

  init(_ name: String, _ pass: String, _ operation: any Operation, _ inputs: [Operand]) throws(TesseraError) {
    (self.name, self.pass, self.operation, self.inputs) = (name, pass, operation, inputs)
    outputs = try operation.outputTypes(inputs.map(\.type), at: name)
  }

  /// Whether results replace the variables among the operands, in their order.
  var isUpdate: Bool { operation is any UpdateOperation }

  /// Bytes that are read.
  var readBytes: Int { inputs.reduce(0) { $0 + $1.passes * $1.type.byteCount } }

  /// Bytes that are written; a line that must be read first isn't counted twice.
  var writtenBytes: Int { outputs.reduce(0) { $0 + $1.byteCount } }

  /// Bytes that all operands occupy.
  var footprint: Int { inputs.reduce(isUpdate ? 0 : writtenBytes) { $0 + $1.type.byteCount } }
}

extension OperationProblem {
  /// Operators whose operands occupy about `bytes` together.
  static func all(bytes: Int) throws(TesseraError) -> [OperationProblem] {
    try elementwise(bytes) + pooling(bytes) + normalization(bytes) + rows(bytes) + updates(bytes)
  }

  /// `count` tensors of the same size, which odd numbers of elements leave a rest of a vector.
  private static func flat(_ bytes: Int, tensors: Int) -> TensorType {
    TensorType([bytes / (tensors * MemoryLayout<Float>.stride) | 1])
  }

  private static func elementwise(_ bytes: Int) throws(TesseraError) -> [OperationProblem] {
    let pair = Operand(type: flat(bytes, tensors: 2), content: .normal)
    let triple = Operand(type: flat(bytes, tensors: 3), content: .normal)
    let counter = Operand(type: TensorType(.scalar, .int64), content: .scalar)
    var problems: [OperationProblem] = []
    for (name, function) in [
      ("relu", .relu), ("leaky_relu", .leakyRelu(slope: 0.01)), ("sigmoid", .sigmoid), ("tanh", .tanh),
    ] as [(String, ActivationFunction)] {
      problems.append(try OperationProblem(name, "forward", Activate(function: function), [pair]))
      problems.append(
        try OperationProblem(name, "backward", ActivationGradient(function: function), [triple, triple]))
    }
    problems.append(try OperationProblem("add", "forward", Add(), [triple, triple]))
    // Its gradient is the same operation.
    problems.append(
      try OperationProblem(
        "dropout", "forward", DropoutOperation(probability: 0.5, stream: 1), [pair, counter, counter]))
    return problems
  }

  /// Images whose elements are `share` of all bytes, as networks have them: larger where there are few channels.
  private static func images(_ bytes: Int, channels: Int, share: Double) -> Shape {
    let isSmall = bytes < 16 << 20
    let side = channels < 64 ? (isSmall ? 28 : 112) : (isSmall ? 14 : 56)
    let image = channels * side * side * MemoryLayout<Float>.stride
    return [max(1, Int(Double(bytes) * share) / image), side, side, channels]
  }

  private static let channelCounts = [3, 10, 64, 256]

  private static func pooling(_ bytes: Int) throws(TesseraError) -> [OperationProblem] {
    var problems: [OperationProblem] = []
    for channels in channelCounts {
      let x = Operand(
        type: TensorType(images(bytes, channels: channels, share: 2 / 3.0)), content: .normal)
      let (height, width) = (x.type.shape[1], x.type.shape[2])
      let windows = [
        ("2x2s2", ResolvedWindow2D(kernel: 2, stride: 2)),
        ("3x3s2", ResolvedWindow2D(kernel: 3, stride: 2, top: 1, left: 1, bottom: 1, right: 1)),
      ]
      for (name, window) in windows {
        let forward = try OperationProblem(
          "max_pool\(name).c\(channels)", "forward", MaxPool2DOperation(window: window), [x])
        problems.append(forward)
        problems.append(
          try OperationProblem(
            forward.name, "backward",
            MaxPool2DBackward(window: window, inputHeight: height, inputWidth: width),
            [
              Operand(type: forward.outputs[0], content: .normal),
              Operand(type: forward.outputs[1], content: .below(window.kernel.y * window.kernel.x)),
            ]))
      }
      for (name, window) in [
        ("average_pool2x2s2", windows[0].1),
        ("global_average_pool", ResolvedWindow2D(kernel: Size2D(y: height, x: width))),
      ] {
        let forward = try OperationProblem(
          "\(name).c\(channels)", "forward", AveragePool2DOperation(window: window, countsPadding: false), [x])
        problems.append(forward)
        problems.append(
          try OperationProblem(
            forward.name, "backward",
            AveragePool2DBackward(
              window: window, countsPadding: false, inputHeight: height, inputWidth: width),
            [Operand(type: forward.outputs[0], content: .normal)]))
      }
    }
    return problems
  }

  private static func normalization(_ bytes: Int) throws(TesseraError) -> [OperationProblem] {
    var problems: [OperationProblem] = []
    for channels in channelCounts {
      func image(_ share: Double, passes: Int) -> Operand {
        Operand(
          type: TensorType(images(bytes, channels: channels, share: share)), content: .normal, passes: passes)
      }
      let (normal, ones) = (
        Operand(type: TensorType([channels]), content: .normal),
        Operand(type: TensorType([channels]), content: .ones)
      )
      let name = "batch_norm.c\(channels)"
      problems.append(
        try OperationProblem(
          name, "training", BatchNormalization(epsilon: 1e-5), [image(1 / 2.0, passes: 2), ones, normal]))
      problems.append(
        try OperationProblem(
          name, "inference", Normalize(epsilon: 1e-5), [image(1 / 2.0, passes: 1), normal, ones, ones, normal]))
      let both = image(1 / 3.0, passes: 2)
      problems.append(
        try OperationProblem(
          name, "backward", BatchNormalizationGradient(epsilon: 1e-5), [both, both, normal, ones, ones]))
      problems.append(
        try OperationProblem("channel_sum.c\(channels)", "backward", ChannelSum(), [image(1, passes: 1)]))
    }
    return problems
  }

  /// Softmax and losses.
  private static func rows(_ bytes: Int) throws(TesseraError) -> [OperationProblem] {
    var problems: [OperationProblem] = []
    for classes in [10, 1000] {
      func matrix(tensors: Int) -> Operand {
        Operand(
          type: TensorType([bytes / (tensors * classes * MemoryLayout<Float>.stride), classes]), content: .normal)
      }
      func labels(_ matrix: Operand) -> Operand {
        Operand(type: TensorType([matrix.type.shape[0]], .int32), content: .below(classes))
      }
      let (pair, triple) = (matrix(tensors: 2), matrix(tensors: 3))
      let scalar = Operand(type: TensorType(.scalar), content: .scalar)
      problems.append(try OperationProblem("softmax.c\(classes)", "forward", SoftmaxOperation(), [pair]))
      problems.append(
        try OperationProblem("softmax.c\(classes)", "backward", SoftmaxGradient(), [triple, triple]))
      let name = "cross_entropy.c\(classes)"
      problems.append(
        try OperationProblem(name, "forward", SoftmaxCrossEntropy(reduction: .mean), [pair, labels(pair)]))
      problems.append(
        try OperationProblem(
          name, "backward", SoftmaxCrossEntropyGradient(reduction: .mean), [scalar, pair, labels(pair)]))
    }
    let (pair, triple) = (
      Operand(type: flat(bytes, tensors: 2), content: .normal),
      Operand(type: flat(bytes, tensors: 3), content: .normal)
    )
    problems.append(
      try OperationProblem("squared_error", "forward", MeanSquaredError(reduction: .mean), [pair, pair]))
    problems.append(
      try OperationProblem(
        "squared_error", "backward", MeanSquaredErrorGradient(reduction: .mean),
        [Operand(type: TensorType(.scalar), content: .scalar), triple, triple]))
    return problems
  }

  private static func updates(_ bytes: Int) throws(TesseraError) -> [OperationProblem] {
    let rate = Operand(type: TensorType(.scalar), content: .scalar)
    func operands(states: Int) -> (variable: Operand, gradient: Operand) {
      let type = flat(bytes, tensors: 2 + states)
      return (Operand(type: type, content: .variable), Operand(type: type, content: .normal))
    }
    let (weight, gradient) = operands(states: 1)
    var problems = [
      try OperationProblem(
        "sgd", "update", SGDUpdate(momentum: 0.9, weightDecay: 1e-4, nesterov: false),
        [weight, gradient, rate, weight])
    ]
    for (name, decoupled) in [("adam", false), ("adamw", true)] {
      let (weight, gradient) = operands(states: 2)
      problems.append(
        try OperationProblem(
          name, "update",
          AdamUpdate(beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.01, decoupled: decoupled),
          [
            weight, gradient, rate, weight, weight, Operand(type: TensorType(.scalar, .int64), content: .scalar),
          ]))
    }
    return problems
  }

  /// Dense layers on few rows, with the weights prepared before: each weight is read once.
  static func dense() throws(TesseraError) -> [OperationProblem] {
    var problems: [OperationProblem] = []
    for (inputs, outputs) in [(512, 1000), (9216, 128), (4096, 4096)] {
      for batch in [1, 16] {
        problems.append(
          try OperationProblem(
            "dense\(inputs)x\(outputs).n\(batch)", "forward", MatrixProduct(),
            [
              Operand(type: TensorType([batch, inputs]), content: .normal),
              Operand(type: TensorType([inputs, outputs]), content: .variable),
              Operand(type: TensorType([outputs]), content: .variable),
            ]))
      }
    }
    return problems
  }
}
