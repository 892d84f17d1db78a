import Foundation

#if canImport(Glibc)
  import Glibc
#endif

/// What the operating system tells of itself.
enum System {
  #if arch(x86_64)
    static let architecture = "x86_64"
  #elseif arch(arm64)
    static let architecture = "arm64"
  #else
    static let architecture = "unknown"
  #endif

  /// Name and release, as in "Linux 6.1.0-18-amd64".
  static var kernel: String {
    var names = utsname()
    guard uname(&names) == 0 else { return "unknown" }
    func text<Field>(_ field: Field) -> String {
      withUnsafeBytes(of: field) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }
    return "\(text(names.sysname)) \(text(names.release))"
  }

  /// Processors that the process may use, as in "0-3,8"; nil where the system doesn't say.
  static var affinity: String? {
    file("/proc/self/status")?.split(separator: "\n").first { $0.hasPrefix("Cpus_allowed_list:") }?
      .split(whereSeparator: \.isWhitespace).last.map(String.init)
  }

  /// How the system chooses the processor's frequency; nil where it doesn't, as in most virtual machines.
  static func governor(ofProcessor number: Int) -> String? {
    file("/sys/devices/system/cpu/cpu\(number)/cpufreq/scaling_governor")?.trimmingCharacters(
      in: .whitespacesAndNewlines)
  }

  /// Threads that run or want to at this moment, on the whole machine; nil where the system doesn't say.
  static var runnableThreads: Int? {
    // proc(5), loadavg: three averages, then runnable/existing threads.
    file("/proc/loadavg")?.split(separator: " ").dropFirst(3).first?.split(separator: "/").first.flatMap { Int($0) }
  }

  /// Seconds that the processors of the machine spent so far.
  struct ProcessorTime {
    /// On anybody's work, this process's included.
    var busy: Double
    /// On another virtual machine's, while this one wanted to work.
    var stolen: Double
  }

  static var processorTime: ProcessorTime? {
    // proc(5), stat: user nice system idle iowait irq softirq steal, in ticks.
    guard let line = file("/proc/stat")?.split(separator: "\n").first, line.hasPrefix("cpu ") else { return nil }
    let ticks = line.split(separator: " ").dropFirst().compactMap { Double($0) }
    guard ticks.count >= 8 else { return nil }
    let second = Double(sysconf(Int32(_SC_CLK_TCK)))
    return ProcessorTime(
      busy: (ticks[0] + ticks[1] + ticks[2] + ticks[5] + ticks[6]) / second, stolen: ticks[7] / second)
  }

  /// Seconds that processors spent on this process.
  static var ownProcessorTime: Double {
    var time = timespec()
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
  }

  private static func file(_ path: String) -> String? { try? String(contentsOfFile: path, encoding: .utf8) }
}
