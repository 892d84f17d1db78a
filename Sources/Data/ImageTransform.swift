import TesseraGraph

/// How the bytes of images become the numbers that a network is given: cut out, turned around and normalized.
///
///     var transform = ImageTransform(mean: [0.4914, 0.4822, 0.4465], deviation: [0.247, 0.2435, 0.2616])
///     (transform.cropPadding, transform.flips) = (4, true)
///
/// y = (x / 255 - mean) / deviation, channel by channel. What is random about an image follows from seed, epoch and the
/// image alone, not from the batch it is in.
public struct ImageTransform: Hashable, Sendable {
  /// Rows and columns of zeros around an image, out of which one of its own size is cut at a random place; 0: none.
  public var cropPadding = 0
  /// Whether every second image, by chance, is mirrored left to right.
  public var flips = false
  /// Of pixels from 0 to 1, one for each channel; empty: 0.
  public var mean: [Double]
  /// By which what is left is divided, one for each channel; empty: 1.
  public var deviation: [Double]

  /// Without random parts.
  public init(mean: [Double] = [], deviation: [Double] = []) {
    self.mean = mean
    self.deviation = deviation
  }

  /// The same for images that a network is judged by: normalized, with nothing random.
  public var withoutAugmentation: ImageTransform { ImageTransform(mean: mean, deviation: deviation) }

  /// - Throws: ``TesseraError/Code/invalidAttribute`` if there aren't as many numbers as channels, a deviation isn't above 0,
  ///   or the padding is negative or larger than an image.
  func check(for dataset: ImageDataset) throws(TesseraError) {
    func require(_ condition: Bool, _ what: String, _ expected: String, _ found: String) throws(TesseraError) {
      guard condition else {
        throw TesseraError(.invalidAttribute, at: "\(dataset.name), \(what)", expected: expected, found: found)
      }
    }
    for (what, numbers) in [("mean", mean), ("deviation", deviation)] {
      try require(
        numbers.isEmpty || numbers.count == dataset.channels && numbers.allSatisfy(\.isFinite), what,
        "\(dataset.channels) finite numbers, one a channel", "\(numbers)")
    }
    try require(deviation.allSatisfy { $0 > 0 }, "deviation", "numbers above 0", "\(deviation)")
    let most = min(dataset.height, dataset.width)
    try require((0...most).contains(cropPadding), "crop padding", "0 to \(most)", "\(cropPadding)")
  }

  /// What each byte of each channel becomes: [channels, 256].
  func table(channels: Int) -> [Float] {
    (0..<channels).flatMap { channel in
      let mean = self.mean.isEmpty ? 0 : self.mean[channel]
      let deviation = self.deviation.isEmpty ? 1 : self.deviation[channel]
      // Bytes without normalization are the nearest to byte / 255.
      return (0..<256).map { byte in
        self.mean.isEmpty && self.deviation.isEmpty
          ? Float(byte) / 255 : Float((Double(byte) / 255 - mean) / deviation)
      }
    }
  }
}

extension Batch {
  /// Writes pixels, [count, height, width, channels], and labels, [count], to memory that has the room.
  /// - Parameter table: of the transform.
  func fill(
    pixels: UnsafeMutableBufferPointer<Float>, labels: UnsafeMutableBufferPointer<Int32>, transform: ImageTransform,
    table: [Float], seed: UInt64, epoch: Int
  ) {
    let (height, width, channels) = (dataset.height, dataset.width, dataset.channels)
    var target = 0
    for (row, image) in images.enumerated() {
      labels[row] = dataset.labels[Int(image)]
      var random = SplitMix64(seed: seed, epoch: epoch, image: Int(image))
      let room = UInt64(2 * transform.cropPadding + 1)
      let top = Int(random.next(below: room)) - transform.cropPadding
      let left = Int(random.next(below: room)) - transform.cropPadding
      let isFlipped = transform.flips && random.next(below: 2) == 1
      let first = Int(image) * dataset.imageSize
      for y in 0..<height {
        let sourceY = y + top
        for x in 0..<width {
          let sourceX = (isFlipped ? width - 1 - x : x) + left
          let isInside = 0..<height ~= sourceY && 0..<width ~= sourceX
          let source = first + (sourceY * width + sourceX) * channels
          for channel in 0..<channels {
            let byte = isInside ? Int(dataset.images[source + channel]) : 0
            pixels[target] = table[channel * 256 + byte]
            target += 1
          }
        }
      }
    }
  }
}
