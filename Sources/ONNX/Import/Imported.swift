import TesseraGraph
import TesseraRuntime

/// A value of a model while its graph grows: what ONNX says of it, and how it is stored.
///
/// Images are stored with their channels last, so that no node between has to move anything: `order` says which
/// dimension of ONNX each stored one is, [0, 2, 3, 1] for an image. Transposing such a value changes its order only.
struct Imported {
  enum Source {
    case constant(HostTensor)
    case value(Value)
    /// After an operation that doesn't exist: nothing is known.
    case missing
  }

  /// For parameters and errors.
  let name: String
  let source: Source
  /// As ONNX sees it.
  let shape: [Int]
  /// The shape that `order` permutes: another than `shape` after flattening, which nobody computes until it's asked
  /// for.
  let imageShape: [Int]
  let order: [Int]

  private init(_ name: String, _ source: Source, shape: [Int], imageShape: [Int], order: [Int]) {
    (self.name, self.source, self.shape, self.imageShape, self.order) = (name, source, shape, imageShape, order)
  }

  init(_ name: String, constant: HostTensor) {
    self.init(
      name, .constant(constant), shape: constant.shape, imageShape: constant.shape,
      order: Array(constant.shape.indices))
  }

  /// - Parameter order: of the stored dimensions; nil: as ONNX counts them.
  init(_ name: String, _ value: Value, shape: [Int], order: [Int]? = nil) {
    self.init(name, .value(value), shape: shape, imageShape: shape, order: order ?? Array(shape.indices))
  }

  static func missing(_ name: String) -> Imported {
    Imported(name, .missing, shape: [], imageShape: [], order: [])
  }

  /// The same under another name; constants keep theirs, which parameters are known by.
  func renamed(_ name: String) -> Imported {
    constant != nil ? self : Imported(name, source, shape: shape, imageShape: imageShape, order: order)
  }

  /// The image as rows, the first dimension kept: moved only if somebody has to see the order of ONNX.
  func flattened(to shape: [Int]) -> Imported {
    Imported(name, source, shape: shape, imageShape: imageShape, order: order)
  }

  /// Another value of the same shape and order.
  func replacing(_ value: Value) -> Imported {
    Imported(name, .value(value), shape: shape, imageShape: imageShape, order: order)
  }

  /// A constant, or a value with its dimensions as `permutation` says.
  func transposed(_ permutation: [Int]) -> Imported {
    if case .constant(let tensor) = source { return Imported(name, constant: tensor.permuted(permutation)) }
    let shape = permutation.map { self.shape[$0] }
    let order = self.order.map { axis in permutation.firstIndex(of: axis) ?? 0 }
    return Imported(name, source, shape: shape, imageShape: shape, order: order)
  }

  var rank: Int { shape.count }

  var constant: HostTensor? { if case .constant(let tensor) = source { tensor } else { nil } }

  var isMissing: Bool { if case .missing = source { true } else { false } }

  var isFlattened: Bool { shape != imageShape }

  /// Whether the stored dimensions are those of ONNX.
  var isStated: Bool { order == Array(order.indices) }

  /// The stored dimension that one of ONNX is.
  func stored(_ axis: Int) -> Int { order.firstIndex(of: axis) ?? axis }

  var count: Int { shape.reduce(1, *) }
}

/// Batch first, channels last: how images of some rank are stored.
func channelsLast(_ rank: Int) -> [Int] { [0] + Array(2..<max(rank, 2)) + [1] }
