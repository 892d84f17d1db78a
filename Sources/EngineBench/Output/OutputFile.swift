import Foundation
import Tessera

#if canImport(Glibc)
  import Glibc
#endif

/// Where results go: standard output, or a file that appears under its name when it is whole.
///
/// A file is written beside its place and renamed at the end: whoever finds it, finds all of it, and what was there before
/// stays until then. A place that can't be written to is known before anything is measured.
final class OutputFile: Sendable {
  private let descriptor: Int32
  /// Of messages.
  private let name: String
  /// Nil where what is written is there at once.
  private let place: (temporary: String, final: String)?

  private init(descriptor: Int32, name: String, place: (temporary: String, final: String)?) {
    (self.descriptor, self.name, self.place) = (descriptor, name, place)
  }

  static let standardOutput = OutputFile(descriptor: STDOUT_FILENO, name: "standard output", place: nil)

  /// - Throws: ``TesseraError/Code/unwritableOutput``.
  convenience init(path: String) throws(TesseraError) {
    var information = stat()
    let exists = stat(path, &information) == 0
    if exists, information.st_mode & S_IFMT != S_IFREG {
      // A pipe or a device is written to as it is: a new file in its place would replace it.
      let descriptor = open(path, O_WRONLY)
      guard descriptor >= 0 else { throw Self.unwritable(path) }
      self.init(descriptor: descriptor, name: path, place: nil)
      return
    }
    if exists, access(path, W_OK) != 0 { throw Self.unwritable(path) }
    // The file that a link names is replaced, not the link.
    let final = exists ? URL(fileURLWithPath: path).resolvingSymlinksInPath().path : path
    let temporary = "\(final).\(getpid()).partial"
    let descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC, 0o666)
    guard descriptor >= 0 else { throw Self.unwritable(path) }
    self.init(descriptor: descriptor, name: path, place: (temporary, final))
  }

  /// - Throws: ``TesseraError/Code/unwritableOutput`` if there is no room, or what was written to is gone.
  func write(_ text: String) throws(TesseraError) {
    var text = text
    let isWritten = text.withUTF8 { bytes in
      var rest = UnsafeRawBufferPointer(bytes)
      while !rest.isEmpty {
        let count = Self.write(descriptor, rest)
        guard count >= 0 else {
          if errno == EINTR || errno == EAGAIN { continue }
          return false
        }
        rest = UnsafeRawBufferPointer(rebasing: rest[count...])
      }
      return true
    }
    guard isWritten else { throw Self.unwritable(name) }
  }

  private static func write(_ descriptor: Int32, _ bytes: UnsafeRawBufferPointer) -> Int {
    #if canImport(Glibc)
      Glibc.write(descriptor, bytes.baseAddress, bytes.count)
    #else
      Foundation.write(descriptor, bytes.baseAddress, bytes.count)
    #endif
  }

  /// Gives the file its name.
  func commit() throws(TesseraError) {
    guard let place else { return }
    guard close(descriptor) == 0, rename(place.temporary, place.final) == 0 else {
      unlink(place.temporary)
      throw Self.unwritable(name)
    }
  }

  /// Leaves what was there before.
  func discard() {
    guard let place else { return }
    close(descriptor)
    unlink(place.temporary)
  }

  private static func unwritable(_ path: String) -> TesseraError {
    TesseraError(
      .unwritableOutput, at: path, expected: "a place that can be written to", found: String(cString: strerror(errno)))
  }
}

extension OutputFile {
  /// For commands whose files others write: an hour of measurements shouldn't end with one that can't be written.
  /// - Throws: ``TesseraError/Code/unwritableOutput``.
  static func checkWritable(_ path: String) throws(TesseraError) {
    try OutputFile(path: path).discard()
  }
}
