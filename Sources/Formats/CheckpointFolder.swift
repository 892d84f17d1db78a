public import TesseraGraph

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// A folder of checkpoints, `checkpoint-STEP.safetensors`, of which the newest few are kept. One training run at a time
/// writes there.
public struct CheckpointFolder: Sendable {
  /// Where the folder is.
  public let path: String
  /// How many checkpoints are kept.
  public let keep: Int

  private static let prefix = "checkpoint-"
  private static let suffix = ".safetensors"

  /// Makes the folder if there is none, and removes what a run that was killed hadn't finished writing.
  /// - Throws: ``TesseraError/Code/invalidAttribute`` for a number below 1, ``TesseraError/Code/invalidFile`` if there
  ///   can't be such a folder.
  public init(path: String, keep: Int = 3) throws(TesseraError) {
    guard keep >= 1 else {
      throw TesseraError(.invalidAttribute, at: path, expected: "1 checkpoint or more to keep", found: "\(keep)")
    }
    self.path = path
    self.keep = keep
    if mkdir(path, 0o777) != 0, errno != EEXIST {
      throw TesseraError(
        .invalidFile, at: path, expected: "a folder, or a place for one", found: String(cString: strerror(errno)))
    }
    for name in try Self.names(in: path)
    where name.hasPrefix("." + Self.prefix) && name.hasSuffix(ReplacingFile.temporarySuffix) {
      unlink("\(path)/\(name)")
    }
  }

  /// Steps of the checkpoints that are there, ascending.
  /// - Throws: ``TesseraError/Code/invalidFile`` if the folder can't be read.
  public func steps() throws(TesseraError) -> [Int] {
    try Self.names(in: path).compactMap { name in
      guard name.hasPrefix(Self.prefix), name.hasSuffix(Self.suffix) else { return nil }
      return Int(name.dropFirst(Self.prefix.count).dropLast(Self.suffix.count))
    }.sorted()
  }

  /// The file of a step.
  public func file(ofStep step: Int) -> String {
    let digits = String(step)
    let zeros = String(repeating: "0", count: max(0, 10 - digits.count))
    return "\(path)/\(Self.prefix)\(zeros)\(digits)\(Self.suffix)"
  }

  /// Writes a checkpoint, then removes the oldest beyond those that are kept.
  /// - Throws: ``TesseraError/Code/invalidFile`` if it can't be written; the others are still there then.
  public func save(_ checkpoint: Checkpoint, step: Int) throws(TesseraError) {
    try checkpoint.write(to: file(ofStep: step))
    for old in try steps().dropLast(keep) { unlink(file(ofStep: old)) }
  }

  /// The newest checkpoint that isn't damaged, with the errors of newer ones; nil if there is none.
  /// - Throws: ``TesseraError/Code/invalidFile`` if the folder can't be read, or all checkpoints are damaged.
  public func newest() throws(TesseraError) -> (checkpoint: Checkpoint, step: Int, damaged: [TesseraError])? {
    var damaged: [TesseraError] = []
    for step in try steps().reversed() {
      do throws(TesseraError) {
        return (try Checkpoint(path: file(ofStep: step)), step, damaged)
      } catch {
        damaged.append(error)
      }
    }
    if let first = damaged.first { throw first }
    return nil
  }

  private static func names(in path: String) throws(TesseraError) -> [String] {
    guard let directory = opendir(path) else {
      throw TesseraError(
        .invalidFile, at: path, expected: "a readable folder", found: String(cString: strerror(errno)))
    }
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) {
      withUnsafeBytes(of: entry.pointee.d_name) { bytes in
        names.append(String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self))
      }
    }
    return names
  }
}
