public import TesseraKernelContract

// Functions of vectors are written as functions that are always inlined: a closure called from main loop and tail may
// not be, and then hands its vectors over in pieces.

extension Kernels {
  public static func activate(
    _ activation: Activation, count: Int, x: UnsafePointer<Float>, y: UnsafeMutablePointer<Float>,
    streams: Bool
  ) {
    switch activation {
    case .identity:
      copy(count: count, x, to: y)
    case .relu:
      @inline(__always)
      func relu(_ z: Vector) -> Vector { z.replacing(with: 0, where: z .< 0) }
      map(count: count, x, to: y, streams: streams, relu)
    case .leakyRelu(let exactSlope):
      let slope = Float(exactSlope)
      @inline(__always)
      func leakyRelu(_ z: Vector) -> Vector { z.replacing(with: slope * z, where: z .< 0) }
      map(count: count, x, to: y, streams: streams, leakyRelu)
    case .clip(let lower, let upper):
      let (lower, upper) = (Vector(repeating: Float(lower)), Vector(repeating: Float(upper)))
      @inline(__always)
      func clip(_ z: Vector) -> Vector { clipped(z, lower, upper) }
      map(count: count, x, to: y, streams: streams, clip)
    case .sigmoid:
      map(count: count, x, to: y, streams: streams, sigmoid)
    case .tanh:
      map(count: count, x, to: y, streams: streams, hyperbolicTangent)
    }
  }

  public static func activateBackward(
    _ activation: Activation, count: Int, dy: UnsafePointer<Float>, y: UnsafePointer<Float>,
    dz: UnsafeMutablePointer<Float>, streams: Bool
  ) {
    switch activation {
    case .identity:
      copy(count: count, dy, to: dz)
    case .relu:
      @inline(__always)
      func gradient(_ dy: Vector, _ y: Vector) -> Vector { dy.replacing(with: 0, where: y .<= 0) }
      map(count: count, dy, y, to: dz, streams: streams, gradient)
    case .leakyRelu(let exactSlope):
      let slope = Float(exactSlope)
      @inline(__always)
      func gradient(_ dy: Vector, _ y: Vector) -> Vector {
        dy.replacing(with: slope * dy, where: y .<= 0)
      }
      map(count: count, dy, y, to: dz, streams: streams, gradient)
    case .clip(let lower, let upper):
      let (lower, upper) = (Vector(repeating: Float(lower)), Vector(repeating: Float(upper)))
      @inline(__always)
      func gradient(_ dy: Vector, _ y: Vector) -> Vector {
        dy.replacing(with: 0, where: y .<= lower).replacing(with: 0, where: y .>= upper)
      }
      map(count: count, dy, y, to: dz, streams: streams, gradient)
    case .sigmoid:
      @inline(__always)
      func gradient(_ dy: Vector, _ y: Vector) -> Vector { dy * y * (1 - y) }
      map(count: count, dy, y, to: dz, streams: streams, gradient)
    case .tanh:
      @inline(__always)
      func gradient(_ dy: Vector, _ y: Vector) -> Vector { dy * (1 - y * y) }
      map(count: count, dy, y, to: dz, streams: streams, gradient)
    }
  }
}

/// The nearest to each lane in lower...upper; NaN stays.
@inline(__always)
func clipped(_ z: Vector, _ lower: Vector, _ upper: Vector) -> Vector {
  let bounded = atLeast(lower, z)
  return bounded.replacing(with: upper, where: bounded .> upper)
}

@inline(__always)
private func copy(count: Int, _ x: UnsafePointer<Float>, to y: UnsafeMutablePointer<Float>) {
  if x != UnsafePointer(y) { y.update(from: x, count: count) }
}
