import TesseraGraph

extension Operators {
  static let losses: [String: Handler] = [
    "NegativeLogLikelihoodLoss": { (i, n) throws(TesseraError) in [try i.loss(n, of: n.input(0))] },
    "SoftmaxCrossEntropyLoss": { (i, n) throws(TesseraError) in
      let x = try i.unfolded(n.input(0))
      try i.requireFloats([x], n)
      try n.require(x.rank >= 2, .shapeMismatch, "input 0", "[N, classes, ...]", found: "\(Shape(x.shape))")
      let logs = x.replacing(
        try i.graph.apply(LogSoftmax(axis: x.stored(1)), i.anyOrder(x), name: "\(n.name).log_prob"))
      return [try i.loss(n, of: logs), logs]
    },
  ]
}

extension Importer {
  fileprivate mutating func loss(_ node: NodeReader, of x: Imported) throws(TesseraError) -> Imported {
    try requireFloats([x], node)
    try node.require(x.rank >= 2, .shapeMismatch, "input 0", "[N, classes, ...]", found: "\(Shape(x.shape))")
    let labels = try node.input(1)
    let shape = [x.shape[0]] + Array(x.shape[2...])
    try node.require(
      labels.shape == shape, .shapeMismatch, "input 1", "\(Shape(shape))", found: "\(Shape(labels.shape))")
    let rows = shape.reduce(1, *)
    let word = try node.choice("reduction", else: "mean", of: ["mean", "sum", "none"])
    let reduction: Reduction? = word == "mean" ? .mean : word == "sum" ? .sum : nil
    var operands = [
      try graph.reshape(image(x), to: [rows, x.shape[1]], name: node.name),
      try graph.reshape(value(labels), to: [rows], name: node.name),
    ]
    if node.has(2) { operands.append(try value(node.input(2))) }
    let loss = try graph.add(
      NegativeLogLikelihood(reduction: reduction, ignoredLabel: node.integer("ignore_index")), operands,
      name: node.name)[0]
    guard reduction == nil else { return Imported(node.name, loss, shape: []) }
    return Imported(node.name, try graph.reshape(loss, to: Shape(shape), name: node.name), shape: shape)
  }
}
