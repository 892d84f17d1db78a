public import TesseraKernelContract

extension Kernels {
  public static func finish(
    count: Int, y: UnsafeMutablePointer<Float>, addend: UnsafePointer<Float>?, activation: Activation,
    activated: UnsafePointer<Float>?
  ) {
    switch (addend, activation, activated) {
    // What residual blocks need, in one pass.
    case (let addend?, .relu, nil):
      @inline(__always)
      func relu(_ z: Vector, _ addend: Vector) -> Vector { atLeast(.zero, z + addend) }
      map(count: count, y, addend, to: y, streams: false, relu)
    case (let addend?, .relu, let values?):
      forEachVector(count) { i, valid in
        let sum = load(y + i, valid: valid) + load(addend + i, valid: valid)
        store(sum.replacing(with: 0, where: load(values + i, valid: valid) .<= Vector.zero), y + i, valid: valid)
      }
    default:
      if let addend { add(count: count, a: y, b: addend, y: y, streams: false) }
      if let activated {
        activateBackward(activation, count: count, dy: y, y: activated, dz: y, streams: false)
      } else {
        activate(activation, count: count, x: y, y: y, streams: false)
      }
    }
  }
}
