import Foundation

#if canImport(Glibc)
  import Glibc
#endif

/// The most memory that this process had resident so far.
enum PeakMemory {
  static func byteCount() throws -> Int {
    #if os(Linux)
      // Not getrusage, whose figure begins with that of the process that started this one: proc(5), VmHWM in KiB.
      let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
      let line = status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") }
      guard let kibibytes = line?.split(separator: " ").dropLast().last.flatMap({ Int($0) }) else {
        throw CocoaError(.fileReadCorruptFile)
      }
      return kibibytes << 10
    #else
      var usage = rusage()
      getrusage(RUSAGE_SELF, &usage)
      return Int(usage.ru_maxrss)
    #endif
  }
}
