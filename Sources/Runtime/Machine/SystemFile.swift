#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// The small files in which a system describes itself.
enum SystemFile {
  /// The first `limit` bytes of a file; nil where it can't be read.
  static func text(_ path: String, limit: Int = 64 << 10) -> String? {
    guard let file = fopen(path, "r") else { return nil }
    defer { fclose(file) }
    var text: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 64 << 10)
    while text.count < limit {
      let count = fread(&chunk, 1, min(chunk.count, limit - text.count), file)
      guard count > 0 else { break }
      text += chunk.prefix(count)
    }
    return ferror(file) == 0 ? String(decoding: text, as: UTF8.self) : nil
  }
}
