import Foundation
import TesseraData
import TesseraGraph
import Testing

@Suite("Datasets")
struct DatasetTests {
  @Test("The embedded digits are complete", arguments: [(Datasets.Split.train, 1437), (.test, 360)])
  func digits(split: Datasets.Split, count: Int) throws {
    let digits = try Datasets.digits(split)
    #expect(digits.count == count)
    #expect(digits.images.count == count * 64)
    #expect(sizes(digits) == [8, 8, 1, 10])
    #expect(Set(digits.labels) == Set(0...9))
    #expect(digits.images.max() == 255)
    #expect(try Datasets.digits.load(split, directory: nil).labels == digits.labels)
  }

  @Test("MNIST's file names, plain and compressed")
  func mnist() throws {
    try withTemporaryFolder { folder in
      try write(idxBytes([2, 3, 4], Array(0..<24)), to: "\(folder)/train-images-idx3-ubyte")
      try write(gzip(idxBytes([2], [3, 9])), to: "\(folder)/train-labels-idx1-ubyte.gz")
      let train = try Datasets.mnist(.train, directory: folder)
      #expect(train.images == Array(0..<24))
      #expect(train.labels == [3, 9])
      #expect(sizes(train) == [3, 4, 1, 10])
      expectError(.notFound, "t10k-images-idx3-ubyte") { _ = try Datasets.mnist(.test, directory: folder) }
    }
    expectError(.notFound, "mnist", "directory") { _ = try Datasets.mnist.load(.train, directory: nil) }
  }

  @Test("CIFAR-10 records become channels-last images")
  func cifar() throws {
    try withTemporaryFolder { folder in
      for file in 1...5 {
        try write(cifarRecords(file == 3 ? 70 : 2, first: file), to: "\(folder)/data_batch_\(file).bin")
      }
      let train = try Datasets.cifar10(.train, directory: folder)
      #expect(train.count == 78)
      #expect(sizes(train) == [32, 32, 3, 10])
      let third = (0..<70).map { Int32(($0 + 3) % 10) }
      let labels: [Int32] = [1, 2, 2, 3] + third + [4, 5, 5, 6]
      #expect(train.labels == labels)
      for (image, row, column) in [(0, 0, 0), (1, 0, 1), (5, 31, 31), (77, 7, 30)] {
        let pixel = ((image * 32 + row) * 32 + column) * 3
        let label = Int(train.labels[image])
        #expect(
          Array(train.images[pixel..<pixel + 3])
            == (0..<3).map { cifarPixel(label: label, channel: $0, row: row, column: column) })
      }
      expectError(.notFound, "test_batch.bin") { _ = try Datasets.cifar10(.test, directory: folder) }
    }
    try withTemporaryFolder { folder in
      try FileManager.default.createDirectory(
        atPath: "\(folder)/cifar-10-batches-bin", withIntermediateDirectories: true)
      try write(cifarRecords(3, first: 0), to: "\(folder)/cifar-10-batches-bin/test_batch.bin")
      #expect(try Datasets.cifar10.load(.test, directory: folder).labels == [0, 1, 2])
    }
  }

  @Test("CIFAR-10 files that are empty, cut or labelled above 9")
  func badCIFAR() throws {
    var records = CIFAR10Records()
    expectError(.invalidFile, "empty") { try records.append(bytes: []) }
    let bytes = cifarRecords(2, first: 7)
    expectError(.invalidFile, "x, offset 3073", "found 3000 bytes") {
      try records.append(bytes: Array(bytes[..<6073]), name: "x")
    }
    expectError(.invalidFile, "x, offset 3073", "found 3000 bytes") {
      try records.append(bytes: gzip(Array(bytes[..<6073])), name: "x")
    }
    var labelled = bytes
    labelled[3073] = 10
    expectError(.invalidData, "x, offset 3073", "0 to 9", "found 10") {
      try records.append(bytes: labelled, name: "x")
    }
  }

  @Test("Datasets that contradict themselves")
  func invalid() throws {
    func dataset(_ pixels: Int, _ labels: [Int32], height: Int = 2, classes: Int = 3) throws {
      _ = try ImageDataset(
        name: "d", images: [UInt8](repeating: 0, count: pixels), labels: labels, height: height, width: 2,
        channels: 1, classes: classes)
    }
    try dataset(8, [0, 2])
    expectError(.shapeMismatch, "expected 8 pixels", "found 9") { try dataset(9, [0, 2]) }
    expectError(.invalidData, "label 1", "0 to 2", "found 3") { try dataset(8, [0, 3]) }
    expectError(.invalidData, "label 0", "found -1") { try dataset(8, [-1, 0]) }
    expectError(.invalidData, "found 0") { try dataset(0, []) }
    expectError(.invalidShape, "height", "found 0") { try dataset(0, [0], height: 0) }
    expectError(.invalidShape, "classes", "found -2") { try dataset(4, [0], classes: -2) }
    expectError(.invalidShape, "64 bits") { try dataset(4, [0], height: .max) }

    let images = try IDXFile(bytes: idxBytes([2, 1, 1], [0, 0]))
    let labels = try IDXFile(bytes: idxBytes([2], [0, 1]))
    let three = try IDXFile(bytes: idxBytes([3], [0, 1, 2]))
    _ = try ImageDataset(name: "d", images: images, labels: labels, classes: 2)
    expectError(.shapeMismatch, "2 images", "3 labels") {
      _ = try ImageDataset(name: "d", images: images, labels: three, classes: 3)
    }
    expectError(.shapeMismatch, "rank 1") {
      _ = try ImageDataset(name: "d", images: labels, labels: labels, classes: 2)
    }
    expectError(.shapeMismatch, "rank 3") {
      _ = try ImageDataset(name: "d", images: images, labels: images, classes: 2)
    }
  }

  private func sizes(_ dataset: ImageDataset) -> [Int] {
    [dataset.height, dataset.width, dataset.channels, dataset.classes]
  }

  /// Records with labels `first`, `first + 1`, ... modulo 10.
  private func cifarRecords(_ count: Int, first: Int) -> [UInt8] {
    (0..<count).flatMap { index in
      let label = (first + index) % 10
      return [UInt8(label)]
        + (0..<3072).map { cifarPixel(label: label, channel: $0 / 1024, row: $0 / 32 % 32, column: $0 % 32) }
    }
  }

  private func cifarPixel(label: Int, channel: Int, row: Int, column: Int) -> UInt8 {
    UInt8((label * 83 + channel * 101 + row * 7 + column) % 256)
  }
}
