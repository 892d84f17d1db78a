import TesseraKernelContract

/// The activations that are applied in registers; the others follow in memory.
enum Epilogue {
  case none
  case relu
  case leakyRelu(Float)
  case clip(Float, Float)

  @inline(__always)
  func apply(_ z: Vector) -> Vector {
    switch self {
    case .none: z
    case .relu: atLeast(.zero, z)
    case .leakyRelu(let slope): z.replacing(with: z * Vector(repeating: slope), where: z .< Vector.zero)
    case .clip(let lower, let upper): clipped(z, Vector(repeating: lower), Vector(repeating: upper))
    }
  }
}

extension Activation {
  /// True iff the activation is applied to stored rows, still in level 1, and not in registers.
  var followsInMemory: Bool {
    switch self {
    case .sigmoid, .tanh: true
    case .identity, .relu, .leakyRelu, .clip: false
    }
  }
}

extension Epilogue {
  init(_ activation: Activation) {
    switch activation {
    case .relu: self = .relu
    case .leakyRelu(let slope): self = .leakyRelu(Float(slope))
    case .clip(let lower, let upper): self = .clip(Float(lower), Float(upper))
    case .identity, .sigmoid, .tanh: self = .none
    }
  }
}
