/// How well class probabilities name their labels, over the images so far.
public struct Metrics: Hashable, Sendable {
  /// Images counted.
  public private(set) var images = 0
  private(set) var lossSum = 0.0
  private(set) var firstHits = 0
  private(set) var hitsInFive = 0

  /// Nothing yet.
  public init() {}

  init(images: Int, lossSum: Double, firstHits: Int, hitsInFive: Int) {
    (self.images, self.lossSum, self.firstHits, self.hitsInFive) = (images, lossSum, firstHits, hitsInFive)
  }

  /// The mean loss.
  public var loss: Double { lossSum / Double(max(1, images)) }
  /// The share of the images whose label is the most probable class.
  public var top1: Double { Double(firstHits) / Double(max(1, images)) }
  /// The share of the images whose label is among the five most probable classes.
  public var top5: Double { Double(hitsInFive) / Double(max(1, images)) }

  /// Counts a batch.
  /// - Parameters:
  ///   - loss: the batch's mean.
  ///   - probabilities: [labels, classes]; of equal ones the first counts as the more probable.
  mutating func add(
    loss: Float, probabilities: UnsafeBufferPointer<Float>, labels: UnsafeBufferPointer<Int32>, classes: Int
  ) {
    images += labels.count
    lossSum += Double(loss) * Double(labels.count)
    for (row, label) in labels.enumerated() {
      let row = UnsafeBufferPointer(rebasing: probabilities[row * classes..<(row + 1) * classes])
      let own = row[Int(label)]
      let before = row.indices.count { row[$0] > own || row[$0] == own && $0 < Int(label) }
      if before == 0, !own.isNaN { firstHits += 1 }
      if before < 5, !own.isNaN { hitsInFive += 1 }
    }
  }
}
