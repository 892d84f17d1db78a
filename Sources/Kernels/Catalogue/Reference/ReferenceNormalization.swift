extension Reference {
  /// sums[c] = sum over rows of x[row, c].
  @_specialize(where T == Float)
  @_specialize(where T == Double)
  public static func channelSums<T: BinaryFloatingPoint>(
    rows: Int, channels: Int, x: UnsafePointer<T>, sums: UnsafeMutablePointer<T>
  ) {
    for c in 0..<channels {
      var sum = 0.0
      for row in 0..<rows { sum += Double(x[row * channels + c]) }
      sums[c] = T(sum)
    }
  }

  /// Mean and biased variance of each channel, in two passes.
  @_specialize(where T == Float)
  @_specialize(where T == Double)
  public static func channelMoments<T: BinaryFloatingPoint>(
    rows: Int, channels: Int, x: UnsafePointer<T>, mean: UnsafeMutablePointer<T>,
    variance: UnsafeMutablePointer<T>
  ) {
    for c in 0..<channels {
      var sum = 0.0
      for row in 0..<rows { sum += Double(x[row * channels + c]) }
      let center = sum / Double(rows)
      var squares = 0.0
      for row in 0..<rows {
        let deviation = Double(x[row * channels + c]) - center
        squares += deviation * deviation
      }
      mean[c] = T(center)
      variance[c] = T(squares / Double(rows))
    }
  }

  /// y = (x - mean) / sqrt(variance + epsilon) * scale + shift.
  @_specialize(where T == Float)
  @_specialize(where T == Double)
  public static func normalize<T: BinaryFloatingPoint>(
    rows: Int, channels: Int, x: UnsafePointer<T>, mean: UnsafePointer<T>,
    variance: UnsafePointer<T>, scale: UnsafePointer<T>, shift: UnsafePointer<T>, epsilon: Double,
    y: UnsafeMutablePointer<T>
  ) {
    for c in 0..<channels {
      let deviation = (Double(variance[c]) + epsilon).squareRoot()
      for i in stride(from: c, to: rows * channels, by: channels) {
        let normalized = (Double(x[i]) - Double(mean[c])) / deviation
        y[i] = T(normalized * Double(scale[c]) + Double(shift[c]))
      }
    }
  }

  /// dshift = sum of dy, dscale = sum of dy * xhat, xhat = (x - mean) / sqrt(variance + epsilon).
  @_specialize(where T == Float)
  @_specialize(where T == Double)
  public static func normalizationGradients<T: BinaryFloatingPoint>(
    rows: Int, channels: Int, x: UnsafePointer<T>, dy: UnsafePointer<T>, mean: UnsafePointer<T>,
    variance: UnsafePointer<T>, epsilon: Double, dscale: UnsafeMutablePointer<T>,
    dshift: UnsafeMutablePointer<T>
  ) {
    for c in 0..<channels {
      let deviation = (Double(variance[c]) + epsilon).squareRoot()
      var (sum, product) = (0.0, 0.0)
      for i in stride(from: c, to: rows * channels, by: channels) {
        sum += Double(dy[i])
        product += Double(dy[i]) * (Double(x[i]) - Double(mean[c])) / deviation
      }
      dshift[c] = T(sum)
      dscale[c] = T(product)
    }
  }

  /// dx = scale / sqrt(variance + epsilon) * (dy - dshift / rows - xhat * dscale / rows).
  @_specialize(where T == Float)
  @_specialize(where T == Double)
  public static func normalizeBackward<T: BinaryFloatingPoint>(
    rows: Int, channels: Int, x: UnsafePointer<T>, dy: UnsafePointer<T>, mean: UnsafePointer<T>,
    variance: UnsafePointer<T>, scale: UnsafePointer<T>, dscale: UnsafePointer<T>,
    dshift: UnsafePointer<T>, epsilon: Double, dx: UnsafeMutablePointer<T>
  ) {
    for c in 0..<channels {
      let deviation = (Double(variance[c]) + epsilon).squareRoot()
      let (meanDelta, meanProduct) = (Double(dshift[c]) / Double(rows), Double(dscale[c]) / Double(rows))
      for i in stride(from: c, to: rows * channels, by: channels) {
        let normalized = (Double(x[i]) - Double(mean[c])) / deviation
        dx[i] = T(
          Double(scale[c]) / deviation * (Double(dy[i]) - meanDelta - normalized * meanProduct))
      }
    }
  }

  /// dx = dy * scale / sqrt(variance + epsilon).
  @_specialize(where T == Float)
  @_specialize(where T == Double)
  public static func normalizeBackwardFrozen<T: BinaryFloatingPoint>(
    rows: Int, channels: Int, dy: UnsafePointer<T>, variance: UnsafePointer<T>,
    scale: UnsafePointer<T>, epsilon: Double, dx: UnsafeMutablePointer<T>
  ) {
    for c in 0..<channels {
      let deviation = (Double(variance[c]) + epsilon).squareRoot()
      for i in stride(from: c, to: rows * channels, by: channels) {
        dx[i] = T(Double(dy[i]) * Double(scale[c]) / deviation)
      }
    }
  }
}
