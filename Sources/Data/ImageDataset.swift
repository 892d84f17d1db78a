public import TesseraGraph

/// Labelled images in memory, as the bytes they came as: a quarter of what floats would take.
public struct ImageDataset: Sendable {
  /// What reports call it.
  public let name: String
  /// The pixels of all images, [count, height, width, channels].
  public let images: [UInt8]
  /// One label for each image, 0..<classes.
  public let labels: [Int32]
  /// Rows of each image.
  public let height: Int
  /// Columns of each image.
  public let width: Int
  /// Channels of each image: 1 for grey ones.
  public let channels: Int
  /// The number of classes.
  public let classes: Int

  /// The number of images.
  public var count: Int { labels.count }
  /// The elements of one image.
  public var imageSize: Int { height * width * channels }

  /// - Throws: ``TesseraError`` with code `invalidShape` if a size or the number of classes isn't positive,
  ///   `shapeMismatch` if pixels and labels aren't for the same number of images, `invalidData` if there is no image,
  ///   more than 2^31 - 1, or a label outside 0..<classes.
  public init(
    name: String, images: [UInt8], labels: [Int32], height: Int, width: Int, channels: Int, classes: Int
  ) throws(TesseraError) {
    for (what, size) in [("height", height), ("width", width), ("channels", channels), ("classes", classes)]
    where size < 1 {
      throw TesseraError(.invalidShape, at: "\(name), \(what)", expected: "at least 1", found: "\(size)")
    }
    guard !labels.isEmpty, labels.count <= Int32.max else {
      throw TesseraError(
        .invalidData, at: name, expected: "1 to \(Int32.max) images", found: "\(labels.count)")
    }
    var pixels = labels.count
    for size in [height, width, channels] {
      let (product, overflow) = pixels.multipliedReportingOverflow(by: size)
      guard !overflow else {
        throw TesseraError(
          .invalidShape, at: name, expected: "sizes whose product fits 64 bits",
          found: "\(labels.count) x \(height) x \(width) x \(channels)")
      }
      pixels = product
    }
    guard images.count == pixels else {
      throw TesseraError(
        .shapeMismatch, at: name,
        expected: "\(pixels) pixels for \(labels.count) labels of \(height) x \(width) x \(channels) images",
        found: "\(images.count)")
    }
    for (index, label) in labels.enumerated() where label < 0 || label >= classes {
      throw TesseraError(
        .invalidData, at: "\(name), label \(index)", expected: "0 to \(classes - 1)", found: "\(label)")
    }
    self.name = name
    self.images = images
    self.labels = labels
    self.height = height
    self.width = width
    self.channels = channels
    self.classes = classes
  }

  /// All images but the last ones, and those: to learn from, and to be judged by meanwhile.
  /// - Parameter share: of the images that are split off, rounded down.
  /// - Throws: ``TesseraError/Code/invalidAttribute`` if one part would have no image.
  public func split(lastShare share: Double) throws(TesseraError) -> (first: ImageDataset, last: ImageDataset) {
    let last = share > 0 && share < 1 ? Int(Double(count) * share) : 0
    guard last >= 1 else {
      throw TesseraError(
        .invalidAttribute, at: name, expected: "a share above 0 and below 1 of \(count) images, with one at least",
        found: "\(share)")
    }
    func part(_ images: Range<Int>, _ what: String) throws(TesseraError) -> ImageDataset {
      try ImageDataset(
        name: "\(name), \(what) \(images.count)",
        images: Array(self.images[images.lowerBound * imageSize..<images.upperBound * imageSize]),
        labels: Array(labels[images]), height: height, width: width, channels: channels, classes: classes)
    }
    return (try part(0..<count - last, "first"), try part(count - last..<count, "last"))
  }

  /// Images of rank 3 ([count, height, width]: one channel) or 4 ([count, height, width, channels]) with labels of rank
  /// 1.
  /// - Throws: ``TesseraError`` with code `shapeMismatch` for other ranks or differing counts, and as above.
  public init(name: String, images: IDXFile, labels: IDXFile, classes: Int) throws(TesseraError) {
    guard (3...4).contains(images.sizes.count) else {
      throw TesseraError(
        .shapeMismatch, at: "\(name), images", expected: "rank 3 or 4", found: "rank \(images.sizes.count)")
    }
    guard labels.sizes.count == 1 else {
      throw TesseraError(
        .shapeMismatch, at: "\(name), labels", expected: "rank 1", found: "rank \(labels.sizes.count)")
    }
    guard images.sizes[0] == labels.sizes[0] else {
      throw TesseraError(
        .shapeMismatch, at: name, expected: "a label for each of \(images.sizes[0]) images",
        found: "\(labels.sizes[0]) labels")
    }
    try self.init(
      name: name, images: images.elements, labels: labels.elements.map(Int32.init),
      height: images.sizes[1], width: images.sizes[2],
      channels: images.sizes.count == 4 ? images.sizes[3] : 1, classes: classes)
  }
}
