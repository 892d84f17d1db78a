import RealModule

extension Reference {
  /// Each row of x [rows, width] to mean 0 and variance 1, times scale plus shift.
  @_specialize(where T == Float)
  @_specialize(where T == Double)
  public static func layerNormalize<T: BinaryFloatingPoint>(
    rows: Int, width: Int, x: UnsafePointer<T>, scale: UnsafePointer<T>, shift: UnsafePointer<T>, epsilon: Double,
    y: UnsafeMutablePointer<T>, mean: UnsafeMutablePointer<T>, inverse: UnsafeMutablePointer<T>
  ) {
    for row in 0..<rows {
      let elements = row * width..<(row + 1) * width
      let center = elements.reduce(0.0) { $0 + Double(x[$1]) } / Double(width)
      let squares = elements.reduce(0.0) { $0 + (Double(x[$1]) - center) * (Double(x[$1]) - center) }
      let factor = 1 / (squares / Double(width) + epsilon).squareRoot()
      for i in elements {
        y[i] = T((Double(x[i]) - center) * factor * Double(scale[i % width]) + Double(shift[i % width]))
      }
      (mean[row], inverse[row]) = (T(center), T(factor))
    }
  }

  /// Gradients of that; dscale, dshift: [width].
  @_specialize(where T == Float)
  @_specialize(where T == Double)
  public static func layerNormalizeBackward<T: BinaryFloatingPoint>(
    rows: Int, width: Int, dy: UnsafePointer<T>, x: UnsafePointer<T>, mean: UnsafePointer<T>, inverse: UnsafePointer<T>,
    scale: UnsafePointer<T>, dx: UnsafeMutablePointer<T>, dscale: UnsafeMutablePointer<T>,
    dshift: UnsafeMutablePointer<T>
  ) {
    var (scaleSums, shiftSums) = ([Double](repeating: 0, count: width), [Double](repeating: 0, count: width))
    for row in 0..<rows {
      let elements = row * width..<(row + 1) * width
      func normalized(_ i: Int) -> Double { (Double(x[i]) - Double(mean[row])) * Double(inverse[row]) }
      func delta(_ i: Int) -> Double { Double(dy[i]) * Double(scale[i % width]) }
      let meanDelta = elements.reduce(0.0) { $0 + delta($1) } / Double(width)
      let meanProduct = elements.reduce(0.0) { $0 + delta($1) * normalized($1) } / Double(width)
      for i in elements {
        let xhat = normalized(i)
        scaleSums[i % width] += Double(dy[i]) * xhat
        shiftSums[i % width] += Double(dy[i])
        dx[i] = T(Double(inverse[row]) * (delta(i) - meanDelta - xhat * meanProduct))
      }
    }
    for i in 0..<width { (dscale[i], dshift[i]) = (T(scaleSums[i]), T(shiftSums[i])) }
  }

  /// Every group of channels of each sample of x [samples, rows, channels] to mean 0 and variance 1, times scale plus
  /// shift. mean, variance: [samples, channels], the group's for each of its channels.
  @_specialize(where T == Float)
  @_specialize(where T == Double)
  public static func groupNormalize<T: BinaryFloatingPoint>(
    samples: Int, rows: Int, channels: Int, groups: Int, x: UnsafePointer<T>, scale: UnsafePointer<T>,
    shift: UnsafePointer<T>, epsilon: Double, y: UnsafeMutablePointer<T>, mean: UnsafeMutablePointer<T>,
    variance: UnsafeMutablePointer<T>
  ) {
    forEachGroup(samples, rows, channels, groups) { sample, group, elements in
      let count = Double(elements.count)
      let center = elements.reduce(0.0) { $0 + Double(x[$1]) } / count
      let spread = elements.reduce(0.0) { $0 + (Double(x[$1]) - center) * (Double(x[$1]) - center) } / count
      for c in group {
        (mean[sample * channels + c], variance[sample * channels + c]) = (T(center), T(spread))
      }
      for i in elements {
        let normalized = (Double(x[i]) - center) / (spread + epsilon).squareRoot()
        y[i] = T(normalized * Double(scale[i % channels]) + Double(shift[i % channels]))
      }
    }
  }

  /// Gradients of that; dscale, dshift: [channels].
  @_specialize(where T == Float)
  @_specialize(where T == Double)
  public static func groupNormalizeBackward<T: BinaryFloatingPoint>(
    samples: Int, rows: Int, channels: Int, groups: Int, dy: UnsafePointer<T>, x: UnsafePointer<T>,
    mean: UnsafePointer<T>, variance: UnsafePointer<T>, scale: UnsafePointer<T>, epsilon: Double,
    dx: UnsafeMutablePointer<T>, dscale: UnsafeMutablePointer<T>, dshift: UnsafeMutablePointer<T>
  ) {
    var (scaleSums, shiftSums) = ([Double](repeating: 0, count: channels), [Double](repeating: 0, count: channels))
    forEachGroup(samples, rows, channels, groups) { sample, group, elements in
      let first = sample * channels + group.lowerBound
      let inverse = 1 / (Double(variance[first]) + epsilon).squareRoot()
      func normalized(_ i: Int) -> Double { (Double(x[i]) - Double(mean[first])) * inverse }
      func delta(_ i: Int) -> Double { Double(dy[i]) * Double(scale[i % channels]) }
      let count = Double(elements.count)
      let meanDelta = elements.reduce(0.0) { $0 + delta($1) } / count
      let meanProduct = elements.reduce(0.0) { $0 + delta($1) * normalized($1) } / count
      for i in elements {
        let xhat = normalized(i)
        scaleSums[i % channels] += Double(dy[i]) * xhat
        shiftSums[i % channels] += Double(dy[i])
        dx[i] = T(inverse * (delta(i) - meanDelta - xhat * meanProduct))
      }
    }
    for c in 0..<channels { (dscale[c], dshift[c]) = (T(scaleSums[c]), T(shiftSums[c])) }
  }

  private static func forEachGroup(
    _ samples: Int, _ rows: Int, _ channels: Int, _ groups: Int,
    _ body: (_ sample: Int, _ group: Range<Int>, _ elements: [Int]) -> Void
  ) {
    let width = channels / max(1, groups)
    for sample in 0..<samples {
      for first in stride(from: 0, to: channels, by: max(1, width)) {
        let group = first..<first + width
        body(sample, group, (0..<rows).flatMap { row in group.map { (sample * rows + row) * channels + $0 } })
      }
    }
  }

  /// y[c] = x[c] / s[c]^beta, s[c] = bias + alpha times the sum of x[j]^2 over c - before <= j <= c + after inside the row.
  @_specialize(where T == Float)
  @_specialize(where T == Double)
  public static func localResponse<T: BinaryFloatingPoint>(
    rows: Int, channels: Int, before: Int, after: Int, alpha: Double, beta: Double, bias: Double, x: UnsafePointer<T>,
    y: UnsafeMutablePointer<T>
  ) {
    for row in 0..<rows {
      let x = x + row * channels
      for c in 0..<channels {
        let s =
          bias + alpha
          * (max(0, c - before)...min(channels - 1, c + after)).reduce(0.0) {
            $0 + Double(x[$1]) * Double(x[$1])
          }
        y[row * channels + c] = T(Double(x[c]) * .pow(s, -beta))
      }
    }
  }

  /// dx of that.
  @_specialize(where T == Float)
  @_specialize(where T == Double)
  public static func localResponseBackward<T: BinaryFloatingPoint>(
    rows: Int, channels: Int, before: Int, after: Int, alpha: Double, beta: Double, bias: Double, dy: UnsafePointer<T>,
    x: UnsafePointer<T>, dx: UnsafeMutablePointer<T>
  ) {
    for row in 0..<rows {
      let (dy, x) = (dy + row * channels, x + row * channels)
      var sums = [Double](repeating: 0, count: channels)
      for c in 0..<channels {
        let window = max(0, c - before)...min(channels - 1, c + after)
        let s = bias + alpha * window.reduce(0.0) { $0 + Double(x[$1]) * Double(x[$1]) }
        sums[c] += Double(dy[c]) * .pow(s, -beta)
        for j in window {
          sums[j] -= 2 * alpha * beta * Double(x[j]) * Double(dy[c]) * Double(x[c]) * .pow(s, -beta - 1)
        }
      }
      for c in 0..<channels { dx[row * channels + c] = T(sums[c]) }
    }
  }
}
