extension Graph {
  /// Appends the gradients of a scalar with respect to values: a reverse sweep over the nodes between them.
  ///
  /// A value that several nodes read gets the sum of their gradients, added in the reverse order of the nodes, so the
  /// order of every sum is fixed. Nodes that lie on no path from a wanted value to the loss cost nothing.
  /// - Parameters:
  ///   - loss: a floating-point scalar.
  ///   - values: inputs, variables, or results of nodes.
  /// - Returns: for each value its gradient, or nil if the loss doesn't depend on it.
  /// - Throws: ``TesseraError/Code/notDifferentiable`` if an operation in between has no gradient, or the loss is no
  ///   scalar; ``TesseraError/Code/notFound`` for values that this graph doesn't have.
  public mutating func differentiate(_ loss: Value, withRespectTo values: [Value])
    throws(TesseraError) -> [Value?]
  {
    for value in [loss] + values { try check(value, at: "gradient") }
    let type = self.type(of: loss)
    guard type.shape == .scalar, type.element.isFloatingPoint else {
      throw TesseraError(
        .notDifferentiable, at: name(of: loss), expected: "a floating-point scalar",
        found: "\(type)")
    }
    // Values through which a wanted value reaches the loss.
    var isNeeded = Set(values)
    for node in nodes where node.inputs.contains(where: isNeeded.contains) {
      isNeeded.formUnion(node.outputs)
    }
    var gradients: [Value: Value] = [:]
    if isNeeded.contains(loss) { gradients[loss] = try addConstant([1], type) }

    var repetition = Repetition()
    for (index, node) in nodes.enumerated().reversed()
    where node.inputs.contains(where: isNeeded.contains)
      && node.outputs.contains(where: { gradients[$0] != nil })
    {
      let context = GradientContext(
        node: try repetition.node(index, in: &self), outputGradients: node.outputs.map { gradients[$0] },
        isNeeded: node.inputs.map(isNeeded.contains))
      let inputGradients = try node.operation.gradients(context, in: &self)
      guard inputGradients.count == node.inputs.count else {
        throw TesseraError(
          .shapeMismatch, at: node.name, expected: "\(node.inputs.count) gradients",
          found: "\(inputGradients.count)")
      }
      for (input, gradient) in zip(node.inputs, inputGradients) {
        guard isNeeded.contains(input), let gradient else { continue }
        try check(gradient, at: context.name("gradient"))
        guard self.type(of: gradient) == self.type(of: input) else {
          throw TesseraError(
            .shapeMismatch, at: context.name("gradient"), expected: "\(self.type(of: input))",
            found: "\(self.type(of: gradient))")
        }
        if let sum = gradients[input] {
          gradients[input] = try apply(Add(), sum, gradient, name: context.name("sum"))
        } else {
          gradients[input] = gradient
        }
      }
    }
    return values.map { gradients[$0] }
  }
}
