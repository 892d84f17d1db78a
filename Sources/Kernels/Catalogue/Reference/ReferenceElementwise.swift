public import TesseraKernelContract

extension Reference {
  @_specialize(where T == Float)
  @_specialize(where T == Double)
  public static func activate<T: BinaryFloatingPoint>(
    _ activation: Activation, count: Int, x: UnsafePointer<T>, y: UnsafeMutablePointer<T>
  ) {
    for i in 0..<count { y[i] = T(activated(activation, Double(x[i]))) }
  }

  /// dz from dy and the activation's output y.
  @_specialize(where T == Float)
  @_specialize(where T == Double)
  public static func activateBackward<T: BinaryFloatingPoint>(
    _ activation: Activation, count: Int, dy: UnsafePointer<T>, y: UnsafePointer<T>,
    dz: UnsafeMutablePointer<T>
  ) {
    for i in 0..<count {
      dz[i] = T(activationGradient(activation, dy: Double(dy[i]), y: Double(y[i])))
    }
  }

  /// y = a + b
  @_specialize(where T == Float)
  @_specialize(where T == Double)
  public static func add<T: BinaryFloatingPoint>(
    count: Int, a: UnsafePointer<T>, b: UnsafePointer<T>, y: UnsafeMutablePointer<T>
  ) {
    for i in 0..<count { y[i] = a[i] + b[i] }
  }

  /// y = a - b
  @_specialize(where T == Float)
  @_specialize(where T == Double)
  public static func subtract<T: BinaryFloatingPoint>(
    count: Int, a: UnsafePointer<T>, b: UnsafePointer<T>, y: UnsafeMutablePointer<T>
  ) {
    for i in 0..<count { y[i] = a[i] - b[i] }
  }

  /// y = a * b
  @_specialize(where T == Float)
  @_specialize(where T == Double)
  public static func multiply<T: BinaryFloatingPoint>(
    count: Int, a: UnsafePointer<T>, b: UnsafePointer<T>, y: UnsafeMutablePointer<T>
  ) {
    for i in 0..<count { y[i] = a[i] * b[i] }
  }

  /// y = factor * (a - b)
  @_specialize(where T == Float)
  @_specialize(where T == Double)
  public static func scaledDifference<T: BinaryFloatingPoint>(
    count: Int, factor: Double, a: UnsafePointer<T>, b: UnsafePointer<T>, y: UnsafeMutablePointer<T>
  ) {
    for i in 0..<count { y[i] = T(factor * (Double(a[i]) - Double(b[i]))) }
  }

  /// The sum of (a - b)^2.
  @_specialize(where T == Float)
  @_specialize(where T == Double)
  public static func squaredDistance<T: BinaryFloatingPoint>(
    count: Int, a: UnsafePointer<T>, b: UnsafePointer<T>
  ) -> T {
    var sum = 0.0
    for i in 0..<count {
      let difference = Double(a[i]) - Double(b[i])
      sum += difference * difference
    }
    return T(sum)
  }

  /// The sum of x^2.
  @_specialize(where T == Float)
  @_specialize(where T == Double)
  public static func sumOfSquares<T: BinaryFloatingPoint>(count: Int, x: UnsafePointer<T>) -> T {
    var sum = 0.0
    for i in 0..<count { sum += Double(x[i]) * Double(x[i]) }
    return T(sum)
  }

  /// y = factor * x + offset
  @_specialize(where T == Float)
  @_specialize(where T == Double)
  public static func affine<T: BinaryFloatingPoint>(
    count: Int, factor: Double, offset: Double, x: UnsafePointer<T>, y: UnsafeMutablePointer<T>
  ) {
    for i in 0..<count { y[i] = T(factor * Double(x[i]) + offset) }
  }

  /// y = factor * x + offset of bytes.
  @_specialize(where T == Float)
  @_specialize(where T == Double)
  public static func affine<T: BinaryFloatingPoint>(
    count: Int, factor: Double, offset: Double, bytes: UnsafePointer<UInt8>,
    y: UnsafeMutablePointer<T>
  ) {
    for i in 0..<count { y[i] = T(factor * Double(bytes[i]) + offset) }
  }

  @_specialize(where T == Float)
  @_specialize(where T == Double)
  public static func sum<T: BinaryFloatingPoint>(count: Int, x: UnsafePointer<T>) -> T {
    var sum = 0.0
    for i in 0..<count { sum += Double(x[i]) }
    return T(sum)
  }

  @_specialize(where T == Float)
  @_specialize(where T == Double)
  public static func allFinite<T: BinaryFloatingPoint>(count: Int, x: UnsafePointer<T>) -> Bool {
    for i in 0..<count where !x[i].isFinite { return false }
    return true
  }

  /// Inverted dropout with the kernel's mask: element i is dropped iff word i % 4 of block i / 4 is below
  /// probability * 2^32.
  @_specialize(where T == Float)
  @_specialize(where T == Double)
  public static func dropout<T: BinaryFloatingPoint>(
    first: Int, count: Int, probability: Double, key: DropoutKey, step: UInt64, x: UnsafePointer<T>,
    y: UnsafeMutablePointer<T>
  ) {
    let threshold = probability * 0x1p32
    for i in 0..<count {
      let block = UInt64(first + i) / 4
      let words = Philox4x32.block(
        counter: SIMD4(
          UInt32(truncatingIfNeeded: block), UInt32(truncatingIfNeeded: block >> 32),
          UInt32(truncatingIfNeeded: step), UInt32(truncatingIfNeeded: step >> 32)),
        key: SIMD2(key.word0, key.word1))
      let dropped = Double(words[(first + i) % 4]) < threshold
      y[i] = dropped ? 0 : T(Double(x[i]) / (1 - probability))
    }
  }
}
