import Foundation
public import TesseraGraph

/// The batches of an epoch, made ready on a thread of their own while those before are computed with.
///
/// Order and contents are those of the sequence and the transform, however fast either side is. Up to `depth` batches wait;
/// their memory is taken once.
///
///     var batches = try BatchSequence(dataset, batchSize: 64, seed: 1)
///     batches.start(epoch: epoch)
///     let pipeline = try BatchPipeline(batches, transform: transform)
///     while let loss = try pipeline.next({ batch throws(TesseraError) in try step(batch.pixels, batch.labels) }) { ... }
public final class BatchPipeline: Sendable {
  /// One batch, valid while the pipeline lends it.
  public struct Lent {
    /// The number of images.
    public let count: Int
    /// [count, height, width, channels].
    public let pixels: UnsafeBufferPointer<Float>
    /// [count].
    public let labels: UnsafeBufferPointer<Int32>
  }

  private let ring: BatchRing

  /// Starts on a sequence's epoch.
  /// - Parameters:
  ///   - first: the batch to begin with; those before are passed over.
  ///   - depth: batches that wait at most.
  /// - Throws: ``TesseraError/Code/invalidAttribute`` for a transform that doesn't fit the images, a first batch beyond
  ///   the last, or a depth below 1.
  public init(
    _ batches: BatchSequence, from first: Int = 0, transform: ImageTransform = ImageTransform(), depth: Int = 2
  ) throws(TesseraError) {
    let dataset = batches.dataset
    try transform.check(for: dataset)
    guard 0...batches.count ~= first, depth >= 1 else {
      throw TesseraError(
        .invalidAttribute, at: dataset.name, expected: "a first batch of 0 to \(batches.count), a depth of 1 or more",
        found: "\(first), \(depth)")
    }
    ring = BatchRing(batches, range: first..<batches.count, transform: transform, depth: depth)
    let ring = ring
    let thread = Thread { ring.produce() }
    thread.name = "tessera.batches"
    thread.start()
  }

  deinit { ring.cancel() }

  /// Lends the next batch to the body; nil after the last. The batch counts as used even if the body throws.
  public func next<Result>(_ body: (Lent) throws(TesseraError) -> Result) throws(TesseraError) -> Result? {
    try ring.consume(body)
  }
}

/// Slots between a thread that fills and one that empties, in order.
private final class BatchRing: @unchecked Sendable {
  private let batches: BatchSequence
  private let range: Range<Int>
  private let transform: ImageTransform
  private let table: [Float]
  private let depth: Int
  private let pixels: UnsafeMutableBufferPointer<Float>
  private let labels: UnsafeMutableBufferPointer<Int32>

  // Guarded by the condition.
  private let condition = NSCondition()
  private var produced: Int
  private var consumed: Int
  private var isCancelled = false

  init(_ batches: BatchSequence, range: Range<Int>, transform: ImageTransform, depth: Int) {
    self.batches = batches
    self.range = range
    self.transform = transform
    self.depth = depth
    (produced, consumed) = (range.lowerBound, range.lowerBound)
    table = transform.table(channels: batches.dataset.channels)
    let room = min(batches.batchSize, batches.dataset.count)
    pixels = .allocate(capacity: depth * room * batches.dataset.imageSize)
    labels = .allocate(capacity: depth * room)
    pixels.initialize(repeating: 0)
    labels.initialize(repeating: 0)
  }

  deinit {
    pixels.deallocate()
    labels.deallocate()
  }

  func produce() {
    for index in range {
      let isWanted = locked {
        while produced - consumed >= depth && !isCancelled { condition.wait() }
        return !isCancelled
      }
      guard isWanted else { return }
      let (pixels, labels) = slot(index)
      batches[index].fill(
        pixels: pixels, labels: labels, transform: transform, table: table, seed: batches.seed, epoch: batches.epoch)
      locked { produced += 1 }
    }
  }

  func consume<Result>(
    _ body: (BatchPipeline.Lent) throws(TesseraError) -> Result
  ) throws(TesseraError) -> Result? {
    let index = locked {
      while produced == consumed && consumed < range.upperBound { condition.wait() }
      return consumed
    }
    guard index < range.upperBound else { return nil }
    defer { locked { consumed += 1 } }
    let (pixels, labels) = slot(index)
    let count = batches[index].count
    return try body(
      BatchPipeline.Lent(
        count: count,
        pixels: UnsafeBufferPointer(rebasing: pixels[..<(count * batches.dataset.imageSize)]),
        labels: UnsafeBufferPointer(rebasing: labels[..<count])))
  }

  func cancel() { locked { isCancelled = true } }

  private func slot(_ index: Int) -> (UnsafeMutableBufferPointer<Float>, UnsafeMutableBufferPointer<Int32>) {
    func part<Element>(_ all: UnsafeMutableBufferPointer<Element>) -> UnsafeMutableBufferPointer<Element> {
      let size = all.count / depth
      let first = index % depth * size
      return UnsafeMutableBufferPointer(rebasing: all[first..<first + size])
    }
    return (part(pixels), part(labels))
  }

  /// Runs the body alone, and wakes whoever waits for what it changed.
  private func locked<Result>(_ body: () -> Result) -> Result {
    condition.lock()
    defer {
      condition.broadcast()
      condition.unlock()
    }
    return body()
  }
}
