import CDigits
public import TesseraGraph

#if canImport(Darwin)
  import Darwin
#elseif canImport(Musl)
  import Musl
#else
  import Glibc
#endif

/// The datasets that Tessera reads by name.
public enum Datasets: String, CaseIterable, Sendable {
  case digits, mnist, cifar10

  /// Which part of a dataset: the images to learn from, or those to be judged by.
  public enum Split: String, CaseIterable, Sendable {
    case train, test
  }

  /// Loads a part of this dataset; `directory` holds its files and is needed for all but the embedded digits.
  /// - Throws: ``TesseraError`` with code `notFound` if a directory or file is missing, and what the reader throws.
  public func load(_ split: Split, directory: String?) throws(TesseraError) -> ImageDataset {
    if self == .digits { return try Self.digits(split) }
    guard let directory else {
      throw TesseraError(
        .notFound, at: rawValue, expected: "a directory with the dataset's files", found: "none")
    }
    return self == .mnist
      ? try Self.mnist(split, directory: directory) : try Self.cifar10(split, directory: directory)
  }

  /// 8 x 8 grey handwritten digits, 1437 for training and 360 for testing, embedded in the library.
  /// - Throws: ``TesseraError`` with code `invalidFile` if the embedded bytes are damaged.
  /// - Source: E. Alpaydin and C. Kaynak (1998), doi:10.24432/C50P49, CC BY 4.0; changes: see
  ///   `Sources/CDigits/LICENSE.md`.
  public static func digits(_ split: Split) throws(TesseraError) -> ImageDataset {
    let images: [UInt8]
    let labels: [UInt8]
    switch split {
    case .train:
      images = embedded(tessera_digits_train_images(), tessera_digits_train_images_size())
      labels = embedded(tessera_digits_train_labels(), tessera_digits_train_labels_size())
    case .test:
      images = embedded(tessera_digits_test_images(), tessera_digits_test_images_size())
      labels = embedded(tessera_digits_test_labels(), tessera_digits_test_labels_size())
    }
    return try ImageDataset(
      name: "digits \(split.rawValue)",
      images: IDXFile(bytes: images, name: "embedded images"),
      labels: IDXFile(bytes: labels, name: "embedded labels"), classes: 10)
  }

  /// MNIST, or any dataset under its file names: `train-images-idx3-ubyte`, `train-labels-idx1-ubyte`,
  /// `t10k-images-idx3-ubyte` and `t10k-labels-idx1-ubyte`, each plain or with `.gz`, ten classes.
  /// - Throws: ``TesseraError`` as ``IDXFile`` and ``ImageDataset`` do.
  public static func mnist(_ split: Split, directory: String) throws(TesseraError) -> ImageDataset {
    let prefix = split == .train ? "train" : "t10k"
    return try ImageDataset(
      name: "mnist \(split.rawValue)",
      images: IDXFile(path: plainOrCompressed("\(directory)/\(prefix)-images-idx3-ubyte")),
      labels: IDXFile(path: plainOrCompressed("\(directory)/\(prefix)-labels-idx1-ubyte")), classes: 10)
  }

  /// CIFAR-10 from its binary files, in `directory` or in the folder `cifar-10-batches-bin` of the archive below it.
  /// - Throws: ``TesseraError`` as ``CIFAR10Records`` and ``ImageDataset`` do.
  public static func cifar10(_ split: Split, directory: String) throws(TesseraError) -> ImageDataset {
    let archive = "\(directory)/cifar-10-batches-bin"
    let folder = exists(archive) ? archive : directory
    var records = CIFAR10Records()
    for file in split == .train ? (1...5).map({ "data_batch_\($0).bin" }) : ["test_batch.bin"] {
      try records.append(path: "\(folder)/\(file)")
    }
    return try ImageDataset(
      name: "cifar10 \(split.rawValue)", images: records.images, labels: records.labels,
      height: CIFAR10Records.height, width: CIFAR10Records.width, channels: CIFAR10Records.channels,
      classes: CIFAR10Records.classes)
  }

  private static func embedded(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> [UInt8] {
    Array(UnsafeBufferPointer(start: bytes, count: count))
  }

  private static func plainOrCompressed(_ path: String) -> String {
    exists(path) || !exists(path + ".gz") ? path : path + ".gz"
  }

  private static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }
}
