/// An element-wise function that a kernel may apply to its result on the way to memory.
/// Each derivative is a function of the *output* y, so a fused activation needs no second tensor.
public enum Activation: Hashable, Sendable {
  /// y = z
  case identity
  /// y = z < 0 ? 0 : z, so NaN passes on. dz = y <= 0 ? 0 : dy.
  case relu
  /// y = z < 0 ? slope z : z, slope > 0. dz = y <= 0 ? slope dy : dy.
  case leakyRelu(slope: Double)
  /// y = z < lower ? lower : z > upper ? upper : z, lower < upper. dz = y <= lower or y >= upper ? 0 : dy.
  case clip(lower: Double, upper: Double)
  /// y = 1 / (1 + exp(-z)). dz = dy y (1 - y).
  case sigmoid
  /// y = tanh z. dz = dy (1 - y y).
  case tanh
}
