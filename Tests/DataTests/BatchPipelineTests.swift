import Foundation
import TesseraData
import TesseraGraph
import Testing

@Suite("Input pipeline")
struct BatchPipelineTests {
  /// Images whose every byte says which image, row, column and channel it is of.
  static func dataset(count: Int = 23, height: Int = 5, width: Int = 4, channels: Int = 2) throws -> ImageDataset {
    let images = (0..<count * height * width * channels).map { UInt8(truncatingIfNeeded: $0 &* 37 &+ $0 >> 6) }
    return try ImageDataset(
      name: "numbers", images: images, labels: (0..<count).map { Int32($0 % 7) }, height: height, width: width,
      channels: channels, classes: 7)
  }

  /// All batches of an epoch, read as fast or as slowly as `pause` says.
  static func read(
    _ batches: BatchSequence, from first: Int = 0, _ transform: ImageTransform = ImageTransform(), depth: Int = 2,
    pause: (Int) -> Void = { _ in }
  ) throws -> [(pixels: [Float], labels: [Int32])] {
    let pipeline = try BatchPipeline(batches, from: first, transform: transform, depth: depth)
    var result: [(pixels: [Float], labels: [Int32])] = []
    while let batch = try pipeline.next({ (batch) throws(TesseraError) in
      #expect(batch.count == batch.labels.count)
      return (pixels: Array(batch.pixels), labels: Array(batch.labels))
    }) {
      result.append(batch)
      pause(result.count)
    }
    #expect(try pipeline.next { (_) throws(TesseraError) in 1 } == nil)
    return result
  }

  @Test("Without a transform it gives what the sequence gives, in its order", arguments: [1, 2, 7])
  func sameAsTheSequence(depth: Int) throws {
    var batches = try BatchSequence(Self.dataset(), batchSize: 5, seed: 3)
    for epoch in 0..<3 {
      batches.start(epoch: epoch)
      var pixels = [Float](repeating: 0, count: 5 * 40)
      var labels = [Int32](repeating: 0, count: 5)
      for pause in [false, true] {
        let read = try Self.read(batches, depth: depth) { if pause && $0 % 2 == 0 { usleep(2000) } }
        #expect(read.count == 5)
        for (batch, found) in zip(batches, read) {
          var pixelSpan = pixels.mutableSpan
          var labelSpan = labels.mutableSpan
          try batch.fill(pixels: &pixelSpan, labels: &labelSpan)
          #expect(found.pixels == Array(pixels.prefix(batch.count * 40)))
          #expect(found.labels == Array(labels.prefix(batch.count)))
        }
      }
    }
  }

  @Test("An epoch can be begun anywhere, and images don't depend on their batch")
  func startsAnywhere() throws {
    var transform = ImageTransform(mean: [0.5, 0.25], deviation: [0.5, 2])
    (transform.cropPadding, transform.flips) = (2, true)
    let five = try BatchSequence(Self.dataset(), batchSize: 5, seed: 3)
    let whole = try Self.read(five, transform)
    for first in 0...5 {
      let rest = try Self.read(five, from: first, transform)
      #expect(rest.map(\.pixels) == whole[first...].map(\.pixels))
    }
    let one = try Self.read(BatchSequence(Self.dataset(), batchSize: 1, seed: 3), transform)
    #expect(one.flatMap(\.pixels) == whole.flatMap(\.pixels))
    #expect(one.flatMap(\.labels) == whole.flatMap(\.labels))
    var next = five
    next.start(epoch: 1)
    #expect(try Self.read(next, transform).flatMap(\.pixels).sorted() != whole.flatMap(\.pixels).sorted())
  }

  /// Each image is one of the (2 p + 1)^2 cuts of the padded one, mirrored or not, and over many images all of these occur.
  @Test("Images are cut and mirrored as said, and normalized after it")
  func transforms() throws {
    let dataset = try Self.dataset(count: 400, height: 3, width: 4, channels: 2)
    var transform = ImageTransform(mean: [0.5, 0.25], deviation: [0.5, 2])
    (transform.cropPadding, transform.flips) = (1, true)
    let sequence = try BatchSequence(dataset, batchSize: 400, seed: 9, shuffle: false)
    let found = try Self.read(sequence, transform)[0].pixels
    var cuts: [Int: Int] = [:]
    for image in 0..<400 {
      let pixels = Array(found[image * 24..<(image + 1) * 24])
      let matches = (0..<18).filter { cut in
        let (top, left, isFlipped) = (cut % 3 - 1, cut / 3 % 3 - 1, cut >= 9)
        return (0..<24).allSatisfy { element in
          let (y, x, channel) = (element / 8 + top, element / 2 % 4, element % 2)
          let column = (isFlipped ? 3 - x : x) + left
          let isInside = 0..<3 ~= y && 0..<4 ~= column
          let byte = isInside ? Double(dataset.images[image * 24 + (y * 4 + column) * 2 + channel]) : 0
          return pixels[element] == Float((byte / 255 - transform.mean[channel]) / transform.deviation[channel])
        }
      }
      #expect(!matches.isEmpty, "image \(image)")
      for match in matches { cuts[match, default: 0] += 1 }
    }
    #expect(cuts.count == 18)
    // 400 draws of 18: some 22 each.
    #expect(cuts.values.allSatisfy { 6...45 ~= $0 }, "\(cuts)")
    let plain = try Self.read(sequence, transform.withoutAugmentation)[0].pixels
    #expect(plain[0] == Float((Double(dataset.images[0]) / 255 - 0.5) / 0.5))
  }

  @Test("Pipelines can be dropped at any moment")
  func dropped() throws {
    let batches = try BatchSequence(Self.dataset(count: 500), batchSize: 3, seed: 1)
    for taken in 0..<40 {
      let pipeline = try BatchPipeline(batches, depth: 1 + taken % 3)
      for _ in 0..<taken { _ = try pipeline.next { (batch) throws(TesseraError) in batch.count } }
    }
  }

  @Test("A batch counts as used even if what is done with it fails")
  func failures() throws {
    let pipeline = try BatchPipeline(BatchSequence(Self.dataset(), batchSize: 10, seed: 1, shuffle: false))
    expectError(.cancelled, "here") {
      _ = try pipeline.next { (_) throws(TesseraError) -> Int in
        throw TesseraError(.cancelled, at: "here", expected: "", found: "")
      }
    }
    #expect(try pipeline.next { (batch) throws(TesseraError) in batch.labels[0] } == 3)
  }

  @Test("What doesn't fit is an error")
  func mistakes() throws {
    let batches = try BatchSequence(Self.dataset(), batchSize: 10, seed: 1)
    expectError(.invalidAttribute, "0 to 3", "4") { _ = try BatchPipeline(batches, from: 4) }
    expectError(.invalidAttribute, "depth") { _ = try BatchPipeline(batches, depth: 0) }
    expectError(.invalidAttribute, "numbers, mean", "2 finite") {
      _ = try BatchPipeline(batches, transform: ImageTransform(mean: [.nan, 0]))
    }
    for share in [0, 1, -1, .nan, 0.01] {
      expectError(.invalidAttribute, "numbers", "share") { _ = try Self.dataset().split(lastShare: share) }
    }
    let (first, last) = try Self.dataset().split(lastShare: 0.3)
    #expect(first.labels + last.labels == (try Self.dataset().labels))
    #expect(first.images + last.images == (try Self.dataset().images))
    #expect(last.count == 6)
  }
}
