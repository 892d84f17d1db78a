import TesseraGraph

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// A file that comes to be as a whole: written under another name in the same folder, brought to the disk, then renamed.
/// At every moment, also after a crash, the path names what was there before or all of what was written.
final class ReplacingFile {
  /// How names of files end that were being written when the program was stopped.
  static let temporarySuffix = ".tmp"

  private let path: String
  private let folder: String
  private let temporaryPath: String
  private let descriptor: Int32
  private var isCommitted = false

  /// - Throws: `invalidFile` if nothing can be written there.
  init(path: String) throws(TesseraError) {
    let slash = path.lastIndex(of: "/")
    let file = slash.map { path[path.index(after: $0)...] } ?? path[...]
    folder = slash.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
    self.path = path
    temporaryPath =
      "\(folder)/.\(file).\(String(UInt64.random(in: 0 ... .max), radix: 36))\(Self.temporarySuffix)"
    // Renaming would replace a device.
    var status = stat()
    guard stat(path, &status) != 0 || status.st_mode & S_IFMT == S_IFREG else {
      throw TesseraError(.invalidFile, at: path, expected: "a file", found: "something else by that name")
    }
    descriptor = open(temporaryPath, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else { throw Self.error(path, "a place that can be written to", errno) }
  }

  deinit {
    if !isCommitted {
      close(descriptor)
      unlink(temporaryPath)
    }
  }

  /// Appends bytes.
  /// - Throws: `invalidFile` if the disk is full or fails.
  func write(_ bytes: UnsafeRawBufferPointer) throws(TesseraError) {
    var rest = bytes[...]
    while let base = UnsafeRawBufferPointer(rebasing: rest).baseAddress, !rest.isEmpty {
      #if canImport(Glibc)
        let count = Glibc.write(descriptor, base, rest.count)
      #elseif canImport(Musl)
        let count = Musl.write(descriptor, base, rest.count)
      #else
        let count = Darwin.write(descriptor, base, rest.count)
      #endif
      if count >= 0 {
        rest = rest.dropFirst(count)
      } else if errno != EINTR {
        throw Self.error(path, "room for \(rest.count) more bytes", errno)
      }
    }
  }

  /// Makes the file what the path names.
  /// - Throws: `invalidFile` if the system refuses; the path then names what it named before.
  func commit() throws(TesseraError) {
    guard fsync(descriptor) == 0 else { throw Self.error(path, "a disk that takes the file", errno) }
    guard rename(temporaryPath, path) == 0 else { throw Self.error(path, "a path that can be replaced", errno) }
    isCommitted = true
    close(descriptor)
    // The new name, too, has to reach the disk.
    let directory = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard directory >= 0 else { throw Self.error(folder, "a readable folder", errno) }
    defer { close(directory) }
    guard fsync(directory) == 0 else { throw Self.error(folder, "a disk that takes the folder", errno) }
  }

  private static func error(_ path: String, _ expected: String, _ reason: Int32) -> TesseraError {
    TesseraError(.invalidFile, at: path, expected: expected, found: String(cString: strerror(reason)))
  }
}
