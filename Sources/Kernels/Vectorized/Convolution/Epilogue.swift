import CTesseraShims
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

  init(_ operands: ConvolutionOperands) {
    switch operands.activation {
    case .relu where !operands.followsInMemory: self = .relu
    case .leakyRelu(let slope) where !operands.followsInMemory: self = .leakyRelu(Float(slope))
    case .clip(let lower, let upper) where !operands.followsInMemory: self = .clip(Float(lower), Float(upper))
    default: self = .none
    }
  }
}

// What reads memory besides the sums stays out of the register tiles: loops over accumulators that load make the compiler
// keep them on the stack. Rows that were just stored are in level 1.
extension ConvolutionOperands {
  /// True iff stored rows are to be finished.
  var followsInMemory: Bool {
    if addend != nil || activated != nil { return true }
    return activation == .sigmoid || activation == .tanh
  }

  /// Asks for what will be read for a row of the output.
  @inline(__always)
  func askForRow(_ out: UnsafeMutablePointer<Float>, count: Int) {
    if let addend { askForLines(addend + (out - output), count: count) }
    if let activated { askForLines(activated + (out - output), count: count) }
  }

  /// Finishes a row of the output that was just stored.
  func finish(_ out: UnsafeMutablePointer<Float>, count: Int) {
    let offset = out - output
    Kernels.finish(
      count: count, y: out, addend: addend.map { $0 + offset }, activation: activation,
      activated: activated.map { $0 + offset })
  }
}

@inline(__always)
private func askForLines(_ first: UnsafePointer<Float>, count: Int) {
  for i in stride(from: 0, to: count, by: 16) { tessera_prefetch(first + i) }
}
