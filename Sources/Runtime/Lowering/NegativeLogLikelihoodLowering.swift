public import TesseraGraph
import TesseraKernels

/// The rows of a loss, in float or double: one task, since it is a few numbers a row.
private struct LabelledRows<T: ReferenceScalar, Label: BinaryInteger & Sendable>: Sendable {
  let rows: Int
  let classes: Int
  let ignored: Int?
  let hasWeights: Bool
  let location: String

  /// The label of a row and its weight; nil for one that doesn't count.
  func term(_ row: Int, _ labels: UnsafePointer<Label>, _ weights: UnsafePointer<T>?) throws(TesseraError)
    -> (label: Int, weight: Double)?
  {
    let label = Int(labels[row])
    if label == ignored { return nil }
    guard (0..<classes).contains(label) else {
      throw TesseraError(
        .invalidData, at: location, expected: "labels in 0..<\(classes)", found: "\(label) in row \(row)")
    }
    return (label, weights.map { Double($0[label]) } ?? 1)
  }

  /// The sum of the weights of all rows that count.
  func totalWeight(_ labels: UnsafePointer<Label>, _ weights: UnsafePointer<T>?) throws(TesseraError) -> Double {
    var total = 0.0
    for row in 0..<rows { total += try term(row, labels, weights)?.weight ?? 0 }
    return total
  }
}

extension KernelContext {
  /// The type of the second operand, which must be labels.
  fileprivate func labelType(
    of operation: any Operation
  ) throws(TesseraError) -> any (BinaryInteger & Sendable).Type {
    switch inputs[1].element {
    case .int32: Int32.self
    case .int64: Int64.self
    default: throw unsupported(operation)
    }
  }
}

extension NegativeLogLikelihood: KernelOperation {
  public func kernel(_ context: KernelContext) throws(TesseraError) -> NodeKernel {
    try kernel(context, context.floatType(context.inputs[0].element, of: self), context.labelType(of: self))
  }

  private func kernel<T: ReferenceScalar, Label: BinaryInteger & Sendable>(
    _ context: KernelContext, _: T.Type, _: Label.Type
  ) -> NodeKernel {
    let shape = context.inputs[0].shape
    let rows = LabelledRows<T, Label>(
      rows: shape[0], classes: shape[1], ignored: ignoredLabel, hasWeights: context.inputs.count == 3,
      location: context.location)
    let reduction = reduction
    return NodeKernel(name: "negative_log_likelihood.\(T.shortName)", taskCount: 1) { _, arguments in
      let (x, labels, y) = (arguments.x(0, T.self), arguments.x(1, Label.self), arguments.y(0, T.self))
      let weights = rows.hasWeights ? arguments.x(2, T.self) : nil
      var sum = 0.0
      for row in 0..<rows.rows {
        var loss = 0.0
        if let (label, weight) = try rows.term(row, labels, weights) {
          loss = -weight * Double(x[row * rows.classes + label])
        }
        if reduction == nil { y[row] = T(loss) }
        sum += loss
      }
      if reduction == .sum { y.pointee = T(sum) }
      if reduction == .mean { y.pointee = T(sum / (try rows.totalWeight(labels, weights))) }
    }
  }
}

extension NegativeLogLikelihoodGradient: KernelOperation {
  public func kernel(_ context: KernelContext) throws(TesseraError) -> NodeKernel {
    try kernel(context, context.floatType(context.inputs[0].element, of: self), context.labelType(of: self))
  }

  private func kernel<T: ReferenceScalar, Label: BinaryInteger & Sendable>(
    _ context: KernelContext, _: T.Type, _: Label.Type
  ) -> NodeKernel {
    let rows = LabelledRows<T, Label>(
      rows: context.inputs[1].shape[0], classes: classes, ignored: ignoredLabel,
      hasWeights: context.inputs.count == 3, location: context.location)
    let reduction = reduction
    return NodeKernel(name: "negative_log_likelihood_gradient.\(T.shortName)", taskCount: 1) { _, arguments in
      let (dy, labels, dx) = (arguments.x(0, T.self), arguments.x(1, Label.self), arguments.y(0, T.self))
      let weights = rows.hasWeights ? arguments.x(2, T.self) : nil
      dx.update(repeating: 0, count: rows.rows * rows.classes)
      let divisor = reduction == .mean ? try rows.totalWeight(labels, weights) : 1
      for row in 0..<rows.rows {
        guard let (label, weight) = try rows.term(row, labels, weights) else { continue }
        dx[row * rows.classes + label] = T(-weight * Double(dy[reduction == nil ? row : 0]) / divisor)
      }
    }
  }
}
