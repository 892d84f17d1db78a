/// A pure function of tensors: what is computed, never how. An operation checks its operands, names its results' types
/// and knows its gradient as graph code; kernels are found for it by the runtime.
///
/// A new operation that others can express implements ``decompose(_:in:at:)`` and needs neither gradient nor kernel.
public protocol Operation: Sendable {
  /// Lower-case name as reports show it, for instance `conv2d`.
  var name: String { get }

  /// Types of the results.
  /// - Throws: ``TesseraError`` if the operands don't fit; `location` is the node's name.
  func outputTypes(_ inputs: [TensorType], at location: String) throws(TesseraError) -> [TensorType]

  /// Appends what computes the gradients of the loss with respect to the node's inputs, and returns one value or nil
  /// for each input. Nil means zero, or not needed.
  func gradients(_ context: GradientContext, in graph: inout Graph) throws(TesseraError) -> [Value?]

  /// Appends other operations that compute the same and returns their results, or nil for an operation with kernels of
  /// its own.
  func decompose(_ inputs: [Value], in graph: inout Graph, at location: String)
    throws(TesseraError) -> [Value]?

  /// Floating-point operations of one application, a multiply-add counted as two; 0 where nobody counts.
  func flops(_ inputs: [TensorType]) -> Double
}

extension Operation {
  public func gradients(_ context: GradientContext, in graph: inout Graph) throws(TesseraError)
    -> [Value?]
  {
    throw TesseraError(
      .notDifferentiable, at: context.node.name, expected: "an operation with a gradient",
      found: name)
  }

  public func decompose(_ inputs: [Value], in graph: inout Graph, at location: String)
    throws(TesseraError) -> [Value]?
  { nil }

  public func flops(_ inputs: [TensorType]) -> Double { 0 }
}

/// What a gradient rule is given.
public struct GradientContext: Sendable {
  /// The node whose gradients are wanted.
  public let node: Node
  /// The gradient of the loss with respect to each output; nil where the loss doesn't depend on it.
  public let outputGradients: [Value?]
  /// Whether the gradient with respect to each input is wanted. What isn't wanted should cost nothing.
  public let isNeeded: [Bool]

  /// The gradient with respect to the first output.
  /// - Throws: if the loss depends on another output only.
  public func firstOutputGradient() throws(TesseraError) -> Value {
    guard let gradient = outputGradients.first, let gradient else {
      throw TesseraError(
        .notDifferentiable, at: node.name, expected: "a loss that depends on the first output",
        found: "one that depends on another")
    }
    return gradient
  }

  /// Whether the gradient with respect to an input is wanted; false for inputs that aren't there.
  public func isNeeded(_ input: Int) -> Bool { isNeeded.indices.contains(input) && isNeeded[input] }

  /// A name for a node of the gradient.
  public func name(_ suffix: String) -> String { "\(node.name).\(suffix)" }
}

/// Checks that operations share.
package enum OperandCheck {
  package static func count(_ inputs: [TensorType], _ range: ClosedRange<Int>, at location: String)
    throws(TesseraError)
  {
    guard range.contains(inputs.count) else {
      let wanted =
        range.lowerBound == range.upperBound
        ? "\(range.lowerBound)" : "\(range.lowerBound) to \(range.upperBound)"
      throw TesseraError(
        .shapeMismatch, at: location, expected: "\(wanted) operands", found: "\(inputs.count)")
    }
  }

  package static func rank(_ type: TensorType, _ rank: Int, _ layout: String, at location: String)
    throws(TesseraError)
  {
    guard type.shape.rank == rank else {
      throw TesseraError(
        .shapeMismatch, at: location, expected: "rank \(rank) (\(layout))", found: "\(type.shape)")
    }
  }

  package static func equal(
    _ type: TensorType, _ wanted: TensorType, _ what: String, at location: String
  ) throws(TesseraError) {
    guard type.element == wanted.element else {
      throw TesseraError(
        .elementTypeMismatch, at: location, expected: "\(what) of \(wanted.element)",
        found: "\(type.element)")
    }
    guard type.shape == wanted.shape else {
      throw TesseraError(
        .shapeMismatch, at: location, expected: "\(what) \(wanted.shape)", found: "\(type.shape)")
    }
  }

  package static func floatingPoint(_ types: [TensorType], at location: String)
    throws(TesseraError)
  {
    for type in types {
      guard type.element.isFloatingPoint else {
        throw TesseraError(
          .elementTypeMismatch, at: location, expected: "a floating-point type",
          found: "\(type.element)")
      }
      guard type.element == types[0].element else {
        throw TesseraError(
          .elementTypeMismatch, at: location, expected: "\(types[0].element) for all operands",
          found: "\(type.element)")
      }
    }
  }

  package static func attribute(
    _ condition: Bool, _ expected: String, found: @autoclosure () -> String, at location: String
  ) throws(TesseraError) {
    guard condition else {
      throw TesseraError(
        .invalidAttribute, at: location, expected: expected, found: found())
    }
  }
}
