public import TesseraGraph

/// One epoch of a dataset in mini-batches, each image once, the last batch smaller if the division leaves a rest.
///
/// The order is a Fisher-Yates shuffle by SplitMix64 from seed and epoch alone: the same on every machine and in every
/// version, another for each epoch. Memory is taken once, 4 bytes an image; walking the batches, filling buffers and
/// starting the next epoch allocate nothing.
///
///     var batches = try BatchSequence(dataset, batchSize: 64, seed: 1)
///     for epoch in 0..<10 {
///       batches.start(epoch: epoch)
///       for batch in batches { try batch.fill(pixels: &pixels, labels: &labels) }
///     }
public struct BatchSequence: RandomAccessCollection, Sendable {
  /// Whose images they are.
  public let dataset: ImageDataset
  /// Images in every batch but the last, which may have fewer.
  public let batchSize: Int
  /// What the order follows from, together with the epoch.
  public let seed: UInt64
  /// False keeps the dataset's own order.
  public let shuffle: Bool
  /// The epoch whose order this is.
  public private(set) var epoch: Int
  private var order: [Int32]

  /// - Throws: ``TesseraError`` with code `invalidAttribute` if the batch size isn't positive.
  public init(
    _ dataset: ImageDataset, batchSize: Int, seed: UInt64, epoch: Int = 0, shuffle: Bool = true
  ) throws(TesseraError) {
    guard batchSize >= 1 else {
      throw TesseraError(
        .invalidAttribute, at: "\(dataset.name), batch size", expected: "at least 1", found: "\(batchSize)")
    }
    self.dataset = dataset
    self.batchSize = batchSize
    self.seed = seed
    self.shuffle = shuffle
    self.epoch = epoch
    order = Array(0..<Int32(dataset.count))
    if shuffle { reorder() }
  }

  /// Goes to another epoch: its order is the one a new sequence of that epoch would have.
  public mutating func start(epoch: Int) {
    self.epoch = epoch
    if shuffle { reorder() }
  }

  public var startIndex: Int { 0 }
  /// The number of batches, ceil(images / batch size).
  public var endIndex: Int { (dataset.count - 1) / batchSize + 1 }

  public subscript(batch: Int) -> Batch {
    precondition(batch >= 0 && batch < endIndex, "batch \(batch) of \(endIndex)")
    let first = batch * batchSize
    return Batch(dataset: dataset, images: order[first..<first + Swift.min(batchSize, dataset.count - first)])
  }

  private mutating func reorder() {
    // From the identity each time, so that an epoch's order doesn't depend on the epochs before it.
    for index in order.indices { order[index] = Int32(truncatingIfNeeded: index) }
    var generator = SplitMix64(seed: seed, epoch: epoch)
    for last in stride(from: order.count - 1, to: 0, by: -1) {
      order.swapAt(last, Int(generator.next(below: UInt64(last) + 1)))
    }
  }
}

/// Some images of a dataset, to be copied where they are computed with.
public struct Batch: Sendable {
  let dataset: ImageDataset
  /// The images' positions in the dataset.
  public let images: ArraySlice<Int32>

  /// The number of images.
  public var count: Int { images.count }

  /// Copies pixels, [count, height, width, channels], and labels, [count], to the start of the caller's buffers, which
  /// may be longer.
  /// - Throws: ``TesseraError`` with code `shapeMismatch` if a buffer is too small; nothing is written then.
  public func fill(
    pixels: inout MutableSpan<UInt8>, labels: inout MutableSpan<Int32>
  ) throws(TesseraError) {
    try fill(&pixels, &labels) { $0 }
  }

  /// The same with pixels as numbers from 0 to 1, each pixel / 255.
  /// - Throws: ``TesseraError`` with code `shapeMismatch` if a buffer is too small; nothing is written then.
  public func fill(
    pixels: inout MutableSpan<Float>, labels: inout MutableSpan<Int32>
  ) throws(TesseraError) {
    try fill(&pixels, &labels) { Float($0) / 255 }
  }

  @inline(__always)
  private func fill<Element>(
    _ pixels: inout MutableSpan<Element>, _ labels: inout MutableSpan<Int32>, _ convert: (UInt8) -> Element
  ) throws(TesseraError) {
    let imageSize = dataset.imageSize
    guard pixels.count >= count * imageSize, labels.count >= count else {
      throw TesseraError(
        .shapeMismatch, at: "batch of \(dataset.name)",
        expected: "room for \(count * imageSize) pixels and \(count) labels",
        found: "\(pixels.count) and \(labels.count)")
    }
    let source = dataset.images.span
    var target = 0
    for (row, image) in images.enumerated() {
      labels[row] = dataset.labels[Int(image)]
      let first = Int(image) * imageSize
      for pixel in first..<first + imageSize {
        pixels[target] = convert(source[pixel])
        target += 1
      }
    }
  }
}
