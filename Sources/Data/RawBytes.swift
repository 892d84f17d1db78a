import TesseraGraph

#if canImport(Darwin)
  import Darwin
#elseif canImport(Musl)
  import Musl
#else
  import Glibc
#endif

/// The bytes of a file or of memory in order, exactly as they are stored.
struct RawBytes: ~Copyable {
  /// What errors call these bytes: the path, or the name that the caller gave.
  let name: String
  /// All bytes there are, read or not.
  let size: Int
  private var origin: Origin

  private enum Origin {
    case file(descriptor: Int32)
    case memory(ArraySlice<UInt8>)
  }

  init(bytes: [UInt8], name: String) {
    self.name = name
    size = bytes.count
    origin = .memory(bytes[...])
  }

  /// - Throws: `notFound` if there is no such file; `invalidFile` if it can't be opened or isn't a regular file.
  init(path: String) throws(TesseraError) {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else {
      let reason = errno
      throw TesseraError(
        reason == ENOENT ? .notFound : .invalidFile, at: path, expected: "a readable file",
        found: Self.message(reason))
    }
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      close(descriptor)
      throw TesseraError(
        .invalidFile, at: path, expected: "a regular file", found: "a directory, pipe or device")
    }
    name = path
    size = Int(status.st_size)
    origin = .file(descriptor: descriptor)
  }

  deinit {
    if case .file(let descriptor) = origin { close(descriptor) }
  }

  /// Copies the next bytes to `buffer` and returns their number, which is 0 at the end only.
  mutating func read(into buffer: UnsafeMutableRawBufferPointer) throws(TesseraError) -> Int {
    switch origin {
    case .memory(let rest):
      let taken = rest.prefix(buffer.count)
      buffer.copyBytes(from: taken)
      origin = .memory(rest.dropFirst(taken.count))
      return taken.count
    case .file(let descriptor):
      while true {
        #if canImport(Darwin)
          let count = Darwin.read(descriptor, buffer.baseAddress, buffer.count)
        #elseif canImport(Musl)
          let count = Musl.read(descriptor, buffer.baseAddress, buffer.count)
        #else
          let count = Glibc.read(descriptor, buffer.baseAddress, buffer.count)
        #endif
        if count >= 0 { return count }
        let reason = errno
        guard reason == EINTR else {
          throw TesseraError(
            .invalidFile, at: name, expected: "a readable file", found: Self.message(reason))
        }
      }
    }
  }

  private static func message(_ reason: Int32) -> String { String(cString: strerror(reason)) }
}
