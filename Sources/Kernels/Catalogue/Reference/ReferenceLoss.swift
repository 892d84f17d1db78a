import RealModule

extension Reference {
  /// y = exp(x - max) / sum exp(x - max), row by row.
  @_specialize(where T == Float)
  @_specialize(where T == Double)
  public static func softmax<T: BinaryFloatingPoint>(
    rows: Int, classes: Int, x: UnsafePointer<T>, y: UnsafeMutablePointer<T>
  ) {
    for row in 0..<rows {
      let (x, y) = (x + row * classes, y + row * classes)
      let (maximum, sum) = softmaxSum(classes: classes, x: x)
      for i in 0..<classes { y[i] = T(Double.exp(Double(x[i]) - maximum) / sum) }
    }
  }

  /// dx = y * (dy - sum of dy * y), row by row.
  @_specialize(where T == Float)
  @_specialize(where T == Double)
  public static func softmaxBackward<T: BinaryFloatingPoint>(
    rows: Int, classes: Int, dy: UnsafePointer<T>, y: UnsafePointer<T>, dx: UnsafeMutablePointer<T>
  ) {
    for row in 0..<rows {
      let (dy, y, dx) = (dy + row * classes, y + row * classes, dx + row * classes)
      var sum = 0.0
      for i in 0..<classes { sum += Double(dy[i]) * Double(y[i]) }
      for i in 0..<classes { dx[i] = T(Double(y[i]) * (Double(dy[i]) - sum)) }
    }
  }

  /// losses[row] = log sum exp(x) - sum of t x, t = (1 - smoothing) onehot(label) + smoothing / classes; probabilities =
  /// softmax(x).
  @_specialize(where T == Float)
  @_specialize(where T == Double)
  public static func softmaxCrossEntropy<T: BinaryFloatingPoint>(
    rows: Int, classes: Int, x: UnsafePointer<T>, labels: UnsafePointer<Int32>,
    smoothing: Double = 0, losses: UnsafeMutablePointer<T>, probabilities: UnsafeMutablePointer<T>
  ) {
    for row in 0..<rows {
      let logits = x + row * classes
      let (maximum, sum) = softmaxSum(classes: classes, x: logits)
      var loss = Double.log(sum) + (maximum - Double(logits[Int(labels[row])]))
      if smoothing > 0 {
        var mean = 0.0
        for i in 0..<classes { mean += Double(logits[i]) / Double(classes) }
        loss += smoothing * (Double(logits[Int(labels[row])]) - mean)
      }
      losses[row] = T(loss)
    }
    softmax(rows: rows, classes: classes, x: x, y: probabilities)
  }

  /// dx = (probabilities - t) * factor, t as above.
  @_specialize(where T == Float)
  @_specialize(where T == Double)
  public static func softmaxCrossEntropyBackward<T: BinaryFloatingPoint>(
    rows: Int, classes: Int, probabilities: UnsafePointer<T>, labels: UnsafePointer<Int32>,
    smoothing: Double = 0, factor: Double, dx: UnsafeMutablePointer<T>
  ) {
    for row in 0..<rows {
      for i in 0..<classes {
        let target = (i == Int(labels[row]) ? 1 - smoothing : 0) + smoothing / Double(classes)
        dx[row * classes + i] = T((Double(probabilities[row * classes + i]) - target) * factor)
      }
    }
  }

  /// The largest element of a row and the sum of exp(x - largest), NaN if an element is NaN.
  @inline(__always)
  private static func softmaxSum<T: BinaryFloatingPoint>(classes: Int, x: UnsafePointer<T>) -> (Double, Double) {
    var maximum = -Double.infinity
    for i in 0..<classes where Double(x[i]) > maximum { maximum = Double(x[i]) }
    var sum = 0.0
    for i in 0..<classes { sum += Double.exp(Double(x[i]) - maximum) }
    return (maximum, sum)
  }
}
