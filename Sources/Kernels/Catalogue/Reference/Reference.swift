import RealModule
import TesseraKernelContract

/// Every kernel once more as a plain loop in double precision: the oracle of all tests, and the evaluator of a graph
/// without threads or vector instructions.
///
/// Ranked goals: obviously right; in T = Float correctly rounded but for the last step's error; then fast. Layouts,
/// names and rules for pointers are those of the kernels' contracts, each call does the whole tensor. The
/// specialisations exist because callers live in other modules.
public enum Reference {
  /// The activation's value for z.
  static func activated(_ activation: Activation, _ z: Double) -> Double {
    switch activation {
    case .identity: z
    case .relu: z < 0 ? 0 : z
    case .leakyRelu(let slope): z < 0 ? slope * z : z
    case .clip(let lower, let upper): z < lower ? lower : z > upper ? upper : z
    case .sigmoid: sigmoid(z)
    case .tanh: .tanh(z)
    }
  }

  /// dz from dy and the activation's value y.
  static func activationGradient(_ activation: Activation, dy: Double, y: Double) -> Double {
    switch activation {
    case .identity: dy
    case .relu: y <= 0 ? 0 : dy
    case .leakyRelu(let slope): y <= 0 ? slope * dy : dy
    case .clip(let lower, let upper): y <= lower || y >= upper ? 0 : dy
    case .sigmoid: dy * y * (1 - y)
    case .tanh: dy * (1 - y * y)
    }
  }

  private static func sigmoid(_ z: Double) -> Double { 1 / (1 + .exp(-z)) }
}
