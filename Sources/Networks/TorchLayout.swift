public import Tessera

/// How PyTorch holds a parameter: under the same name, but weights with filters and channels first.
///
/// | weights of | PyTorch | Tessera |
/// |---|---|---|
/// | convolutions | [K, C/groups, R, S] | [R, S, C/groups, K] |
/// | transposed convolutions | [C, K/groups, R, S] | [R, S, K/groups, C] |
/// | dense layers | [K, C] | [C, K] |
/// | dense layers on flattened images | [K, C H W] | [H W C, K] |
///
/// Everything else is alike. ``TesseraRuntime/ParameterStore/load(_:for:inputShape:except:)`` reads a file of weights by
/// these layouts.
public struct TorchLayout: Hashable, Sendable {
  /// As in a `state_dict`.
  public let shape: Shape
  /// As in a parameter store.
  public let storedShape: Shape
  /// PyTorch's shape as [O, I, Y, X]; Tessera's is [Y, X, I, O].
  private let axes: [Int]

  /// A parameter that is alike in both.
  private init(alike shape: Shape) {
    self.shape = shape
    storedShape = shape
    axes = [1, 1, 1, shape.count]
  }

  /// Filters of a convolution, by Tessera's shape.
  private init(filters shape: Shape) {
    axes = [shape[3], shape[2], shape[0], shape[1]]
    self.shape = Shape(axes)
    storedShape = shape
  }

  /// Weights [C, K] of a dense layer on the flattened `image` [..., H, W, C].
  private init(dense shape: Shape, image: [Int]) {
    axes = [shape[1], image[2], image[0], image[1]]
    self.shape = [shape[1], shape[0]]
    storedShape = shape
  }

  /// PyTorch's elements in Tessera's order; both are row-major.
  /// - Throws: ``TesseraError/Code/shapeMismatch`` for another number of elements than ``shape`` has.
  public func reordered<Element>(_ elements: [Element]) throws(TesseraError) -> [Element] {
    guard elements.count == shape.count else {
      throw TesseraError(
        .shapeMismatch, at: "parameter", expected: "\(shape.count) elements for \(shape)", found: "\(elements.count)")
    }
    return [Element](unsafeUninitializedCapacity: elements.count) { target, count in
      elements.withUnsafeBufferPointer { source in
        forEachElement { published, stored in
          target.initializeElement(at: stored, to: source[published])
        }
      }
      count = elements.count
    }
  }

  /// A tensor of PyTorch's in Tessera's order.
  func stored<Element: TensorElement>(_ tensor: Tensor, _: Element.Type) throws(TesseraError) -> Tensor {
    try Tensor(reordered(tensor.elements(as: Element.self)), shape: storedShape)
  }

  /// A tensor of Tessera's in PyTorch's order.
  func published<Element: TensorElement>(_ tensor: Tensor, _: Element.Type) throws(TesseraError) -> Tensor {
    let elements = try tensor.elements(as: Element.self)
    return try Tensor(
      [Element](unsafeUninitializedCapacity: elements.count) { target, count in
        forEachElement { published, stored in
          target.initializeElement(at: published, to: elements[stored])
        }
        count = elements.count
      }, shape: shape)
  }

  /// Calls the body with both places of each element, in the order in which they are stored.
  @inline(__always)
  private func forEachElement(_ body: (_ published: Int, _ stored: Int) -> Void) {
    let (outer, inner, pixels) = (axes[0], axes[1], axes[2] * axes[3])
    var stored = 0
    for pixel in 0..<pixels {
      for i in 0..<inner {
        for o in 0..<outer {
          body((o * inner + i) * pixels + pixel, stored)
          stored += 1
        }
      }
    }
  }
}

extension Layer {
  /// How PyTorch holds each parameter and statistic of the model, by name.
  /// - Parameter inputShape: of one example; nil: the model's own.
  /// - Throws: ``TesseraError`` if a layer doesn't fit.
  public func torchLayouts(inputShape: Shape? = nil) throws(TesseraError) -> [String: TorchLayout] {
    TorchLayout.layouts(of: try graph(batch: 1, inputShape: inputShape))
  }
}

extension TorchLayout {
  fileprivate static func layouts(of graph: Graph) -> [String: TorchLayout] {
    var layouts: [String: TorchLayout] = [:]
    for read in graph.variables { layouts[read.variable.name] = TorchLayout(alike: read.variable.type.shape) }
    for node in graph.nodes {
      guard node.inputs.count >= 2, case .variable(let index) = graph.source(of: node.inputs[1]) else { continue }
      let weight = graph.variables[index].variable
      switch node.operation {
      case is Convolution2D, is ConvolutionBackwardData:
        layouts[weight.name] = TorchLayout(filters: weight.type.shape)
      case is MatrixProduct:
        layouts[weight.name] = TorchLayout(
          dense: weight.type.shape, image: flattenedImage(node.inputs[0], graph) ?? [1, 1, weight.type.shape[0]])
      default: break
      }
    }
    return layouts
  }

  /// [H, W, C] of the image that a row was made of by reshaping and functions of single elements; nil if it's none.
  private static func flattenedImage(_ value: Value, _ graph: Graph) -> [Int]? {
    guard case .node(let index, _) = graph.source(of: value) else { return nil }
    let node = graph.nodes[index]
    if node.operation is Activate { return flattenedImage(node.inputs[0], graph) }
    let dimensions = graph.shape(of: node.inputs[0]).dimensions
    return node.operation is ReshapeOperation && dimensions.count == 4 ? Array(dimensions.dropFirst()) : nil
  }
}
