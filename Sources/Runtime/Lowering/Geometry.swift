import TesseraGraph
import TesseraKernels

/// The graph's types and attributes in the kernels' terms. Ranks and sizes were checked when the node was added.
extension ConvolutionGeometry {
  init(x: TensorType, w: TensorType, window: ResolvedWindow2D, groups: Int) {
    self.init(
      n: x.shape[0], h: x.shape[1], w: x.shape[2], c: x.shape[3], k: w.shape[3],
      r: window.kernel.y, s: window.kernel.x, strideY: window.stride.y, strideX: window.stride.x,
      dilationY: window.dilation.y, dilationX: window.dilation.x, padTop: window.top,
      padLeft: window.left, padBottom: window.bottom, padRight: window.right, groups: groups)
  }
}

extension PoolingGeometry {
  init(x: Shape, xPitch: Int, y: Shape, window: ResolvedWindow2D) {
    self.init(
      n: x[0], h: x[1], w: x[2], c: x[3], p: y[1], q: y[2], r: window.kernel.y,
      s: window.kernel.x, strideY: window.stride.y, strideX: window.stride.x,
      dilationY: window.dilation.y, dilationX: window.dilation.x, padTop: window.top,
      padLeft: window.left, padBottom: window.bottom, padRight: window.right)
    self.xPitch = xPitch
  }
}

extension Activation {
  init(_ function: ActivationFunction) {
    switch function.kind {
    case .identity: self = .identity
    case .relu: self = .relu
    case .leakyRelu(let slope): self = .leakyRelu(slope: slope)
    case .clip(let lower, let upper): self = .clip(lower: lower, upper: upper)
    case .sigmoid: self = .sigmoid
    case .tanh: self = .tanh
    }
  }
}
