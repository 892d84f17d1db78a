import TesseraGraph

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// The bytes of a file where the system keeps them: read when they are touched, shared with other processes, and given
/// back when memory is short.
///
/// Files that are replaced while they are read stay as they were. One that is cut short in place can't be read any more:
/// the system then stops the program, so nobody may do that to weights in use.
final class MappedFile: @unchecked Sendable {
  let bytes: UnsafeRawBufferPointer

  /// - Throws: `notFound` if there is no such file; `invalidFile` if it can't be opened, or isn't a regular file.
  init(path: String) throws(TesseraError) {
    func failure(_ code: TesseraError.Code, _ expected: String, _ found: String) -> TesseraError {
      TesseraError(code, at: path, expected: expected, found: found)
    }
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else {
      let reason = errno
      throw failure(
        reason == ENOENT ? .notFound : .invalidFile, "a readable file", String(cString: strerror(reason)))
    }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      throw failure(.invalidFile, "a regular file", "a directory, pipe or device")
    }
    let size = Int(status.st_size)
    guard size > 0 else {
      bytes = UnsafeRawBufferPointer(start: nil, count: 0)
      return
    }
    guard let base = mmap(nil, size, PROT_READ, MAP_PRIVATE, descriptor, 0), base != MAP_FAILED else {
      throw failure(.systemFailure, "\(size) bytes of addresses", String(cString: strerror(errno)))
    }
    bytes = UnsafeRawBufferPointer(start: base, count: size)
  }

  deinit {
    if let base = bytes.baseAddress { munmap(UnsafeMutableRawPointer(mutating: base), bytes.count) }
  }
}
