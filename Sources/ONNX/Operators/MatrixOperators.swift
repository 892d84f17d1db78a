import TesseraGraph

extension Operators {
  static let matrices: [String: Handler] = [
    "Gemm": { (i, n) throws(TesseraError) in [try i.gemm(n)] },
    "MatMul": { (i, n) throws(TesseraError) in [try i.matrixProduct(n)] },
  ]
}

extension Importer {
  fileprivate mutating func gemm(_ node: NodeReader) throws(TesseraError) -> Imported {
    let (a, b) = (try node.input(0), try node.input(1))
    try requireFloats([a, b], node)
    try node.require(
      a.rank == 2 && b.rank == 2, .shapeMismatch, "inputs", "matrices", found: "\(Shape(a.shape)) and \(Shape(b.shape))"
    )
    let (transposesA, transposesB) = (try node.flag("transA"), try node.flag("transB"))
    let (alpha, beta) = (try node.number("alpha", else: 1), try node.number("beta", else: 1))
    let shape = [a.shape[transposesA ? 1 : 0], b.shape[transposesB ? 0 : 1]]
    var operands = [Value]()
    if !transposesA, a.isFlattened, b.constant != nil {
      operands = try flattenedFactors(a, transposesB ? b.transposed([1, 0]) : b, published: b, node)
    } else {
      operands = [try value(a), try value(b, order: transposesB && b.constant != nil ? [1, 0] : [0, 1])]
    }
    var c = node.has(2) && beta != 0 ? try node.input(2) : nil
    if let bias = c, alpha == 1, beta == 1, bias.count == shape[1], bias.shape.last == shape[1] {
      operands.append(try graph.reshape(value(bias), to: [shape[1]], name: node.name))
      c = nil
    }
    let product = MatrixProduct(transposeA: transposesA, transposeB: transposesB && b.constant == nil)
    var y = try graph.add(product, operands, name: node.name)[0]
    if alpha != 1 { y = try graph.apply(Affine(factor: alpha), y, name: "\(node.name).alpha") }
    var result = Imported(node.name, y, shape: shape)
    if var c {
      if beta != 1 {
        c = Imported(
          c.name, try graph.apply(Affine(factor: beta), value(c), name: "\(node.name).beta"), shape: c.shape)
      }
      result = try pairs(.add, [result, c], node)
    }
    return result
  }

  /// Rows of images as they are stored, and the weights with their rows in that order.
  private mutating func flattenedFactors(
    _ a: Imported, _ b: Imported, published: Imported, _ node: NodeReader
  ) throws(TesseraError) -> [Value] {
    try node.require(
      b.shape[0] == a.shape[1], .shapeMismatch, "input 1", "\(a.shape[1]) rows", found: "\(Shape(b.shape))")
    let image = Array(a.imageShape[1...])
    // The first dimension counts images, also where they are stored.
    guard a.order.first == 0, let tensor = published.constant, let columns = b.constant else {
      return [try value(a), try value(b)]
    }
    let order = a.order.dropFirst().map { $0 - 1 } + [image.count]
    let rows = try graph.reshape(anyOrder(a), to: Shape(a.shape), name: node.name)
    let weights = try constant(published.name, tensor, shape: b.shape) { _ in
      columns.reshaped(image + [b.shape[1]]).permuted(order)
    }
    return [rows, weights]
  }

  fileprivate mutating func matrixProduct(_ node: NodeReader) throws(TesseraError) -> Imported {
    let (a, b) = (try node.input(0), try node.input(1))
    try requireFloats([a, b], node)
    try node.require(
      a.rank >= 1 && b.rank >= 1, .shapeMismatch, "inputs", "rank 1 or more",
      found: "\(Shape(a.shape)) and \(Shape(b.shape))")
    if a.rank == 2, b.rank == 2, a.isFlattened, b.constant != nil {
      return try apply(
        MatrixProduct(), flattenedFactors(a, b, published: b, node), node, shape: [a.shape[0], b.shape[1]])
    }
    // A vector is a row on the left and a column on the right.
    let left = a.rank == 1 ? [1] + a.shape : a.shape
    let right = b.rank == 1 ? b.shape + [1] : b.shape
    let (m, k, n) = (left[left.count - 2], left[left.count - 1], right[right.count - 1])
    try node.require(
      right[right.count - 2] == k, .shapeMismatch, "input 1", "\(k) rows", found: "\(Shape(b.shape))")
    let batch = try Shape(Array(left.dropLast(2))).broadcast(
      with: Shape(Array(right.dropLast(2))), at: node.location)
    let shape = batch.dimensions + (a.rank == 1 ? [] : [m]) + (b.rank == 1 ? [] : [n])
    let (x, w) = (try value(a), try value(b))
    let y: Value
    if right.count == 2 {
      let rows = try graph.reshape(x, to: [left.dropLast().reduce(1, *), k], name: node.name)
      y = try graph.apply(
        MatrixProduct(), rows, graph.reshape(w, to: [k, n], name: node.name), name: node.name)
    } else {
      y = try graph.apply(
        BatchedMatrixProduct(), matrices(x, left, batch, node), matrices(w, right, batch, node), name: node.name)
    }
    return Imported(node.name, try graph.reshape(y, to: Shape(shape), name: node.name), shape: shape)
  }

  /// [batch, rows, columns], repeated where it is the same for several.
  private mutating func matrices(_ value: Value, _ shape: [Int], _ batch: Shape, _ node: NodeReader)
    throws(TesseraError) -> Value
  {
    let sizes = Array(shape.suffix(2))
    let given = try graph.reshape(value, to: Shape(shape), name: node.name)
    let all = try graph.apply(
      Expand(shape: Shape(batch.dimensions + sizes)), given, name: "\(node.name).expand")
    return try graph.reshape(all, to: Shape([batch.count] + sizes), name: node.name)
  }
}
