import TesseraData
import TesseraGraph
import Testing

@Suite("Mini-batches")
struct BatchSequenceTests {
  /// Image i is the pixels 2i and 2i + 1, its label i modulo 10.
  private func dataset(_ count: Int) throws -> ImageDataset {
    try ImageDataset(
      name: "counting", images: (0..<2 * count).map { UInt8(truncatingIfNeeded: $0) },
      labels: (0..<count).map { Int32($0 % 10) }, height: 1, width: 2, channels: 1, classes: 10)
  }

  private func order(_ batches: BatchSequence) -> [Int32] { batches.flatMap(\.images) }

  @Test("Every image comes once and the last batch holds the rest", arguments: [1, 2, 3, 7, 100, 101, 1000])
  func partition(batchSize: Int) throws {
    for shuffle in [true, false] {
      let batches = try BatchSequence(dataset(101), batchSize: batchSize, seed: 3, shuffle: shuffle)
      #expect(order(batches).sorted() == Array(0..<101))
      #expect(batches.count == (101 + batchSize - 1) / batchSize)
      #expect(batches.dropLast().allSatisfy { $0.count == batchSize })
      #expect(batches.last?.count == 101 - (batches.count - 1) * batchSize)
      #expect(shuffle || order(batches) == Array(0..<101))
    }
  }

  @Test("Seed and epoch decide the order, and nothing else does")
  func seeds() throws {
    let data = try dataset(200)
    var batches = try BatchSequence(data, batchSize: 64, seed: 5)
    var orders: Set<[Int32]> = [Array(0..<200)]
    for seed in 0..<6 as Range<UInt64> {
      for epoch in 0..<6 {
        let fresh = try BatchSequence(data, batchSize: 7, seed: seed, epoch: epoch)
        #expect(orders.insert(order(fresh)).inserted)
        if seed == 5 {
          batches.start(epoch: epoch)
          #expect(order(batches) == order(fresh))
        }
      }
    }
    batches.start(epoch: 2)
    #expect(order(batches) == order(try BatchSequence(data, batchSize: 1, seed: 5, epoch: 2)))
  }

  @Test("The order is the same in every version")
  func golden() throws {
    let batches = try BatchSequence(dataset(10), batchSize: 10, seed: 1, epoch: 0)
    #expect(order(batches) == [5, 6, 1, 8, 7, 4, 3, 9, 0, 2])
    let next = try BatchSequence(dataset(10), batchSize: 10, seed: 1, epoch: 1)
    #expect(order(next) == [7, 8, 1, 0, 4, 2, 9, 6, 5, 3])
  }

  @Test("Images come to each place about equally often")
  func uniformity() throws {
    let data = try dataset(4)
    var batches = try BatchSequence(data, batchSize: 4, seed: 11)
    var counts: [[Int32]: Int] = [:]
    for epoch in 0..<24_000 {
      batches.start(epoch: epoch)
      counts[order(batches), default: 0] += 1
    }
    // 24 orders, 1000 expected of each, deviation 31: five of them either way.
    #expect(counts.count == 24)
    #expect(counts.values.allSatisfy { abs($0 - 1000) < 155 })
  }

  @Test("Buffers are filled with the batch's pixels and labels, and not beyond")
  func fill() throws {
    let data = try dataset(25)
    let batches = try BatchSequence(data, batchSize: 10, seed: 1)
    for batch in batches {
      var bytes = [UInt8](repeating: 77, count: 21)
      var floats = [Float](repeating: -1, count: 21)
      var labels = [Int32](repeating: -1, count: 11)
      do {
        var pixels = bytes.mutableSpan
        var classes = labels.mutableSpan
        try batch.fill(pixels: &pixels, labels: &classes)
        var scaled = floats.mutableSpan
        try batch.fill(pixels: &scaled, labels: &classes)
      }
      for (row, image) in batch.images.enumerated() {
        #expect(labels[row] == image % 10)
        for pixel in 0..<2 {
          #expect(bytes[2 * row + pixel] == UInt8(2 * Int(image) + pixel))
          #expect(floats[2 * row + pixel] == Float(2 * Int(image) + pixel) / 255)
        }
      }
      #expect(labels[batch.count...].allSatisfy { $0 == -1 })
      #expect(bytes[(2 * batch.count)...].allSatisfy { $0 == 77 })
      #expect(floats[(2 * batch.count)...].allSatisfy { $0 == -1 })
    }
  }

  @Test("Small buffers and batch sizes below 1 are errors")
  func errors() throws {
    let data = try dataset(5)
    expectError(.invalidAttribute, "batch size", "found 0") {
      _ = try BatchSequence(data, batchSize: 0, seed: 0)
    }
    let batch = try BatchSequence(data, batchSize: 3, seed: 0)[0]
    for (pixelCount, labelCount) in [(5, 3), (6, 2), (0, 0)] {
      expectError(.shapeMismatch, "6 pixels and 3 labels", "found \(pixelCount) and \(labelCount)") {
        var bytes = [UInt8](repeating: 0, count: pixelCount)
        var labels = [Int32](repeating: 0, count: labelCount)
        var pixels = bytes.mutableSpan
        var classes = labels.mutableSpan
        try batch.fill(pixels: &pixels, labels: &classes)
      }
    }
  }
}
