public import TesseraGraph

/// Images and labels from CIFAR-10's binary files (`data_batch_1.bin` and so on).
///
/// A file is a row of records of 3073 bytes: the label (0 to 9), then the 32 x 32 image as three planes, red, green,
/// blue. Pixels are converted from planes (CHW) to channels last (HWC) as they are read; nothing is scaled.
/// Source: A. Krizhevsky, "Learning multiple layers of features from tiny images" (2009).
public struct CIFAR10Records: Sendable {
  /// Rows of an image.
  public static let height = 32
  /// Columns of an image.
  public static let width = 32
  /// Red, green and blue.
  public static let channels = 3
  /// Labels are 0 to 9.
  public static let classes = 10

  /// The pixels of all images, [count, 32, 32, 3].
  public private(set) var images: [UInt8] = []
  /// One label for each image, 0 to 9.
  public private(set) var labels: [Int32] = []

  private static let planeBytes = height * width
  private static let recordBytes = 1 + channels * planeBytes
  /// Records converted at a time: the block stays in the second-level cache.
  private static let blockRecords = 64

  /// No records; files are appended.
  public init() {}

  /// Appends the records of a file, plain or gzip. After an error the records before the bad one may have been
  /// appended.
  /// - Throws: ``TesseraError`` with code `notFound` if there is no such file, `invalidFile` if it is empty or its size
  ///   is no multiple of a record's, `invalidData` for a label above 9; each names file and offset.
  public mutating func append(path: String) throws(TesseraError) {
    try append(ByteStream(path: path))
  }

  /// Appends the records of a file that is in memory; `name` is what errors call it.
  /// - Throws: ``TesseraError`` as for a file.
  public mutating func append(bytes: [UInt8], name: String = "CIFAR-10 bytes") throws(TesseraError) {
    try append(ByteStream(bytes: bytes, name: name))
  }

  private mutating func append(_ stream: consuming ByteStream) throws(TesseraError) {
    if let size = stream.size {
      let records = size / Self.recordBytes
      guard size % Self.recordBytes == 0 else {
        throw stream.invalid(
          at: records * Self.recordBytes, expected: "records of \(Self.recordBytes) bytes",
          found: "\(size % Self.recordBytes) bytes")
      }
      images.reserveCapacity(images.count + records * (Self.recordBytes - 1))
      labels.reserveCapacity(labels.count + records)
    }
    while true {
      let start = stream.offset
      let block = try stream.readArray(count: Self.blockRecords * Self.recordBytes)
      if block.isEmpty {
        guard start > 0 else {
          throw stream.invalid(
            at: 0, expected: "records of \(Self.recordBytes) bytes", found: "an empty file")
        }
        return
      }
      for first in stride(from: 0, to: block.count, by: Self.recordBytes) {
        guard block.count - first >= Self.recordBytes else {
          throw stream.invalid(
            at: start + first, expected: "a record of \(Self.recordBytes) bytes",
            found: "\(block.count - first) bytes")
        }
        let label = block[first]
        guard label < Self.classes else {
          throw TesseraError(
            .invalidData, at: "\(stream.name), offset \(start + first)",
            expected: "a label from 0 to \(Self.classes - 1)", found: "\(label)")
        }
        labels.append(Int32(label))
        let planes = first + 1
        for pixel in planes..<planes + Self.planeBytes {
          images.append(block[pixel])
          images.append(block[pixel + Self.planeBytes])
          images.append(block[pixel + 2 * Self.planeBytes])
        }
      }
    }
  }
}
