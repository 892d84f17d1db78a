public import TesseraKernelContract

// As with activations: functions that are always inlined, one loop each.

extension Kernels {
  public static func mapElements(
    _ function: MapFunction, count: Int, x: UnsafePointer<Float>, y: UnsafeMutablePointer<Float>
  ) {
    @inline(__always)
    func apply(_ function: (Vector) -> Vector) {
      map(count: count, x, to: y, streams: false, function)
    }
    switch function {
    case .absolute: apply(magnitude)
    case .squareRoot: apply(squareRoot)
    case .exponential: apply(exponential)
    case .logarithm: apply(anyLogarithm)
    case .reciprocal:
      @inline(__always)
      func reciprocal(_ x: Vector) -> Vector { 1 / x }
      apply(reciprocal)
    case .errorFunction: apply(errorFunction)
    case .floor: apply(roundedDown)
    case .ceiling: apply(roundedUp)
    case .roundToEven: apply(roundedToEven)
    case .exponentialUnit(let scale, let alpha, let rate):
      let (scale, alpha, rate) = (Float(scale), Float(scale * alpha), Float(rate))
      @inline(__always)
      func unit(_ x: Vector) -> Vector {
        (alpha * exponentialMinusOne(rate * x)).replacing(with: scale * x, where: x .> 0)
      }
      apply(unit)
    case .hardSigmoid(let slope, let offset):
      let (slope, offset) = (Vector(repeating: Float(slope)), Vector(repeating: Float(offset)))
      @inline(__always)
      func hardSigmoid(_ x: Vector) -> Vector {
        clipped(multiplyAdd(offset, x, slope), .zero, Vector(repeating: 1))
      }
      apply(hardSigmoid)
    case .hardSwish: apply(hardSwish)
    case .swish(let rate):
      let rate = Float(rate)
      @inline(__always)
      func swish(_ x: Vector) -> Vector { x * sigmoid(rate * x) }
      apply(swish)
    case .gelu:
      @inline(__always)
      func gelu(_ x: Vector) -> Vector { x * normalDistribution(x) }
      apply(gelu)
    case .geluTanh:
      @inline(__always)
      func gelu(_ x: Vector) -> Vector { x * sigmoid(2 * geluArgument(x)) }
      apply(gelu)
    case .mish:
      @inline(__always)
      func mish(_ x: Vector) -> Vector { x * tanhOfSoftplus(x) }
      apply(mish)
    case .softplus: apply(softplus)
    case .softsign:
      @inline(__always)
      func softsign(_ x: Vector) -> Vector { x / (1 + magnitude(x)) }
      apply(softsign)
    }
  }

  public static func mapElementsGradient(
    _ function: MapFunction, count: Int, dy: UnsafePointer<Float>, x: UnsafePointer<Float>,
    dx: UnsafeMutablePointer<Float>
  ) {
    @inline(__always)
    func apply(_ gradient: (Vector, Vector) -> Vector) {
      map(count: count, dy, x, to: dx, streams: false, gradient)
    }
    switch function {
    case .absolute:
      @inline(__always)
      func gradient(_ dy: Vector, _ x: Vector) -> Vector {
        dy.replacing(with: -dy, where: x .< 0).replacing(with: 0, where: x .== 0)
      }
      apply(gradient)
    case .squareRoot:
      @inline(__always)
      func gradient(_ dy: Vector, _ x: Vector) -> Vector { dy * 0.5 / squareRoot(x) }
      apply(gradient)
    case .exponential:
      @inline(__always)
      func gradient(_ dy: Vector, _ x: Vector) -> Vector { dy * exponential(x) }
      apply(gradient)
    case .logarithm:
      @inline(__always)
      func gradient(_ dy: Vector, _ x: Vector) -> Vector { dy / x }
      apply(gradient)
    case .reciprocal:
      @inline(__always)
      func gradient(_ dy: Vector, _ x: Vector) -> Vector { -dy / (x * x) }
      apply(gradient)
    case .errorFunction:
      @inline(__always)
      func gradient(_ dy: Vector, _ x: Vector) -> Vector { dy * 1.1283791671 * exponential(-x * x) }
      apply(gradient)
    case .floor, .ceiling, .roundToEven:
      @inline(__always)
      func gradient(_ dy: Vector, _ x: Vector) -> Vector { .zero }
      apply(gradient)
    case .exponentialUnit(let scale, let alpha, let rate):
      let (scale, factor, rate) = (Float(scale), Float(scale * alpha * rate), Float(rate))
      @inline(__always)
      func gradient(_ dy: Vector, _ x: Vector) -> Vector {
        dy * (factor * exponential(rate * x)).replacing(with: scale, where: x .> 0)
      }
      apply(gradient)
    case .hardSigmoid(let slope, let offset):
      let (slope, offset) = (Float(slope), Float(offset))
      @inline(__always)
      func gradient(_ dy: Vector, _ x: Vector) -> Vector {
        let z = slope * x + offset
        return (slope * dy).replacing(with: 0, where: z .<= 0).replacing(with: 0, where: z .>= 1)
      }
      apply(gradient)
    case .hardSwish:
      @inline(__always)
      func gradient(_ dy: Vector, _ x: Vector) -> Vector {
        dy * (x * (1 / 3) + 0.5).replacing(with: 0, where: x .<= -3).replacing(with: 1, where: x .>= 3)
      }
      apply(gradient)
    case .swish(let rate):
      let rate = Float(rate)
      @inline(__always)
      func gradient(_ dy: Vector, _ x: Vector) -> Vector {
        let s = sigmoid(rate * x)
        return dy * (s + rate * x * s * (1 - s))
      }
      apply(gradient)
    case .gelu:
      @inline(__always)
      func gradient(_ dy: Vector, _ x: Vector) -> Vector {
        dy * (normalDistribution(x) + 0.39894228 * x * exponential(-0.5 * x * x))
      }
      apply(gradient)
    case .geluTanh:
      @inline(__always)
      func gradient(_ dy: Vector, _ x: Vector) -> Vector {
        let s = sigmoid(2 * geluArgument(x))
        let slope = 1.5957691 * (1 + 0.134145 * x * x)
        return dy * (s + x * s * (1 - s) * slope)
      }
      apply(gradient)
    case .mish:
      @inline(__always)
      func gradient(_ dy: Vector, _ x: Vector) -> Vector {
        let t = tanhOfSoftplus(x)
        return dy * (t + x * (1 - t * t) * sigmoid(x))
      }
      apply(gradient)
    case .softplus:
      @inline(__always)
      func gradient(_ dy: Vector, _ x: Vector) -> Vector { dy * sigmoid(x) }
      apply(gradient)
    case .softsign:
      @inline(__always)
      func gradient(_ dy: Vector, _ x: Vector) -> Vector {
        let d = 1 + magnitude(x)
        return dy / (d * d)
      }
      apply(gradient)
    }
  }
}

@inline(__always)
private func hardSwish(_ x: Vector) -> Vector {
  x * clipped(x * (1 / 6) + 0.5, .zero, Vector(repeating: 1))
}

/// Phi(x) = erfc(-x / sqrt 2) / 2, exact where it is small, too.
@inline(__always)
private func normalDistribution(_ x: Vector) -> Vector { 0.5 * complementaryErrorFunction(-0.70710678 * x) }

/// sqrt(2 / pi) (x + 0.044715 x^3); (1 + tanh z) / 2 is sigmoid(2 z).
@inline(__always)
private func geluArgument(_ x: Vector) -> Vector { 0.79788456 * x * (1 + 0.044715 * x * x) }

/// tanh(log(1 + e)) = n / (n + 2) with n = e (e + 2), e = exp x; 1 for all x above 20.
@inline(__always)
private func tanhOfSoftplus(_ x: Vector) -> Vector {
  let e = exponential(atMost(Vector(repeating: 20), x))
  let n = e * (e + 2)
  return n / (n + 2)
}

@inline(__always)
private func roundedDown(_ x: Vector) -> Vector {
  var result = x
  for lane in 0..<lanes { result[lane] = x[lane].rounded(.down) }
  return result
}

@inline(__always)
private func roundedUp(_ x: Vector) -> Vector {
  var result = x
  for lane in 0..<lanes { result[lane] = x[lane].rounded(.up) }
  return result
}

@inline(__always)
private func roundedToEven(_ x: Vector) -> Vector {
  var result = x
  for lane in 0..<lanes { result[lane] = x[lane].rounded(.toNearestOrEven) }
  return result
}
