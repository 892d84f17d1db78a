import TesseraGraph

// What moves no element where values are stored in another order than ONNX sees them: reshaping, and operands side by
// side.

extension Importer {
  /// The same elements under another shape, in the order of ONNX.
  ///
  /// Sizes of 1 don't count. What is left of both shapes falls into groups with equal products. A group whose
  /// dimensions are stored one after the other becomes the other's dimensions where it lies; others are brought
  /// together first.
  mutating func reshape(_ x: Imported, to shape: [Int], name: String) throws(TesseraError) -> Imported {
    if x.shape == shape { return x }
    if let tensor = x.constant { return Imported(x.name, constant: tensor.reshaped(shape)) }
    if x.isFlattened && x.imageShape == shape { return try Imported(name, anyOrder(x), shape: shape, order: x.order) }
    if shape.contains(0) || x.isFlattened || x.isStated {
      let value = try value(x)
      return Imported(name, try graph.reshape(value, to: Shape(shape), name: name), shape: shape)
    }
    let groups = Self.groups(x.shape, shape)
    let sorted = groups.sorted { a, b in
      (a.from.map(x.stored).min() ?? -1) < (b.from.map(x.stored).min() ?? -1)
    }
    let from = sorted.flatMap(\.from)
    let ones = x.order.filter { x.shape[$0] == 1 }
    if from != x.order.filter({ x.shape[$0] != 1 }), shape.count == 2, x.shape[0] == shape[0], x.rank > 2 {
      return x.flattened(to: shape)
    }
    let value = try value(x, order: ones + from)
    let to = sorted.flatMap(\.to)
    // Sizes of 1 go where they make the order that of ONNX, if they can.
    let order = to == to.sorted() ? Array(shape.indices) : shape.indices.filter { shape[$0] == 1 } + to
    let target = Shape(order.map { shape[$0] })
    return Imported(name, try graph.reshape(value, to: target, name: name), shape: shape, order: order)
  }

  /// Which dimensions of two shapes of as many elements are the same part of them, sizes of 1 left out.
  private static func groups(_ a: [Int], _ b: [Int]) -> [(from: [Int], to: [Int])] {
    let (a, b) = (a.enumerated().filter { $0.element != 1 }, b.enumerated().filter { $0.element != 1 })
    var groups: [(from: [Int], to: [Int])] = []
    var (i, j) = (0, 0)
    while i < a.count, j < b.count {
      var group = (from: [a[i].offset], to: [b[j].offset])
      var (left, right) = (a[i].element, b[j].element)
      (i, j) = (i + 1, j + 1)
      while left != right {
        if left < right, i < a.count {
          left *= a[i].element
          group.from.append(a[i].offset)
          i += 1
        } else if j < b.count {
          right *= b[j].element
          group.to.append(b[j].offset)
          j += 1
        } else {
          break
        }
      }
      groups.append(group)
    }
    return groups
  }

  /// Operands of a function of elements, with the order of the result: that of the first operand of full rank that a
  /// run computes. Operands of lower rank are aligned as NumPy does.
  mutating func aligned(_ operands: [Imported], at node: NodeReader) throws(TesseraError)
    -> (values: [Value], shape: [Int], order: [Int])
  {
    var shape = Shape.scalar
    for operand in operands { shape = try shape.broadcast(with: Shape(operand.shape), at: node.location) }
    let leader = operands.first { $0.rank == shape.rank && $0.constant == nil && !$0.isFlattened && !$0.isStated }
    let order = leader?.order ?? Array(shape.dimensions.indices)
    var values: [Value] = []
    for operand in operands { values.append(try aligned(operand, to: order)) }
    return (values, shape.dimensions, order)
  }

  /// An operand with sizes of 1 in front, stored in an order.
  mutating func aligned(_ x: Imported, to order: [Int]) throws(TesseraError) -> Value {
    let shape = Shape(x.shape).aligned(to: order.count).dimensions
    if let tensor = x.constant {
      return try constant(x.name, tensor, shape: order.map { shape[$0] }) { $0.reshaped(shape).permuted(order) }
    }
    if shape == x.shape { return try value(x, order: order) }
    let stated = try graph.reshape(value(x), to: Shape(shape), name: x.name)
    return try value(Imported(x.name, stated, shape: shape), order: order)
  }
}
