import TesseraKernelContract

/// A sum in double precision together with the sum of the terms' magnitudes and their number, which bound the error of
/// any other order of summation in single precision: |y' - y| <= gamma(n) sum |term|, gamma(n) = n u / (1 - n u), u = 2^-24
/// (Higham, "Accuracy and Stability of Numerical Algorithms", 2002, section 3.1).
struct BoundedSum {
  var sum = 0.0
  var magnitude = 0.0
  var terms = 0

  mutating func add(_ term: Double) {
    sum += term
    magnitude += abs(term)
    terms += 1
  }

  /// Two roundings more than terms: of the product without fused instructions, and of the bias.
  var tolerance: Double {
    let nu = Double(terms + 2) * 0x1p-24
    return nu / (1 - nu) * magnitude
  }
}

/// The definition, as loops, and nothing else.
enum Reference {
  /// Calls `body` with the indices in x, w and y of every product of the convolution.
  static func forEachProduct(_ g: ConvolutionGeometry, _ body: (_ x: Int, _ w: Int, _ y: Int) -> Void) {
    for n in 0..<g.n {
      for p in 0..<g.p {
        for q in 0..<g.q {
          for r in 0..<g.r {
            let h = p * g.strideY - g.padTop + r * g.dilationY
            guard 0..<g.h ~= h else { continue }
            for s in 0..<g.s {
              let w = q * g.strideX - g.padLeft + s * g.dilationX
              guard 0..<g.w ~= w else { continue }
              for k in 0..<g.k {
                let firstChannel = k / g.filtersPerGroup * g.channelsPerGroup
                for c in 0..<g.channelsPerGroup {
                  body(
                    ((n * g.h + h) * g.w + w) * g.c + firstChannel + c,
                    ((r * g.s + s) * g.channelsPerGroup + c) * g.k + k,
                    ((n * g.p + p) * g.q + q) * g.k + k)
                }
              }
            }
          }
        }
      }
    }
  }

  static func forward(_ g: ConvolutionGeometry, x: GuardedBuffer, w: GuardedBuffer) -> [BoundedSum] {
    var result = [BoundedSum](repeating: BoundedSum(), count: g.yCount)
    forEachProduct(g) { result[$2].add(Double(x.pointer[$0]) * Double(w.pointer[$1])) }
    return result
  }

  static func backwardData(_ g: ConvolutionGeometry, dy: GuardedBuffer, w: GuardedBuffer) -> [BoundedSum] {
    var result = [BoundedSum](repeating: BoundedSum(), count: g.xCount)
    forEachProduct(g) { result[$0].add(Double(dy.pointer[$2]) * Double(w.pointer[$1])) }
    return result
  }

  static func backwardWeights(_ g: ConvolutionGeometry, x: GuardedBuffer, dy: GuardedBuffer) -> [BoundedSum] {
    var result = [BoundedSum](repeating: BoundedSum(), count: g.weightCount)
    forEachProduct(g) { result[$1].add(Double(x.pointer[$0]) * Double(dy.pointer[$2])) }
    return result
  }

  static func product(_ g: MatrixProductGeometry, a: GuardedBuffer, b: GuardedBuffer) -> [BoundedSum] {
    var result = [BoundedSum](repeating: BoundedSum(), count: g.m * g.n)
    for m in 0..<g.m {
      for n in 0..<g.n {
        for k in 0..<g.k {
          result[m * g.n + n].add(
            Double(a.pointer[g.transposeA ? k * g.m + m : m * g.k + k])
              * Double(b.pointer[g.transposeB ? n * g.k + k : k * g.n + n]))
        }
      }
    }
    return result
  }
}
