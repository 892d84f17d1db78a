/// How many processors' worth of time the control groups of this process grant it, in both of Linux's versions.
///
/// A process may be in a group of each version (the hybrid layout), a group is bound by its ancestors, and a container sees
/// its hierarchy mounted from the middle: the least of all quotas between the process's group and the mount counts.
/// Source: Linux, "Control Group v2" (cpu.max) and "CFS Bandwidth Control" (cpu.cfs_quota_us).
package enum CPUQuota {
  /// Processors, as in 1.5; nil where nothing limits them.
  /// - Parameter root: what stands before `/proc` and `/sys`: empty, or a directory that a test has filled.
  package static func read(root: String = "") -> Double? {
    let mounts = Mount.all(SystemFile.text(root + "/proc/self/mountinfo") ?? "")
    var least: Double?
    for line in lines(SystemFile.text(root + "/proc/self/cgroup") ?? "") {
      // hierarchy:controllers:path, as in "4:cpu,cpuacct:/docker/7f" and, for version 2, "0::/user.slice".
      let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
      guard fields.count == 3 else { continue }
      let version: Version = fields[1].isEmpty ? .two : .one
      guard version == .two || fields[1].split(separator: ",").contains("cpu") else { continue }
      for mount in mounts where mount.version == version {
        for directory in mount.directories(above: String(fields[2])) {
          guard let quota = quota(of: root + directory, version) else { continue }
          least = min(least ?? quota, quota)
        }
      }
    }
    return least
  }

  /// How many workers have a processor each: whole ones only, one at least.
  package static func workers(_ quota: Double?, cores: Int) -> Int {
    guard let quota, quota < Double(cores) else { return max(1, cores) }
    return max(1, Int(quota))
  }

  private enum Version { case one, two }

  private static func quota(of directory: String, _ version: Version) -> Double? {
    let fields: [Substring]
    switch version {
    case .one:
      fields = ["cpu.cfs_quota_us", "cpu.cfs_period_us"].map {
        lines(SystemFile.text(directory + "/" + $0) ?? "").first ?? ""
      }
    case .two:
      // "150000 100000", or "max 100000".
      fields = (lines(SystemFile.text(directory + "/cpu.max") ?? "").first ?? "").split(separator: " ")
    }
    guard fields.count == 2, let time = Int(fields[0]), let period = Int(fields[1]), time > 0, period > 0 else {
      return nil
    }
    return Double(time) / Double(period)
  }

  private static func lines(_ text: String) -> [Substring] { text.split(whereSeparator: \.isNewline) }

  /// Where a hierarchy of groups is seen.
  private struct Mount {
    var version: Version
    /// The group that the mount point shows; "/" outside of containers.
    var group: String
    var point: String

    /// The mounts that may hold quotas, or the usual places where the system doesn't tell.
    static func all(_ mountinfo: String) -> [Mount] {
      let found = lines(mountinfo).compactMap { Mount(mountinfo: $0) }
      guard found.isEmpty else { return found }
      return [
        Mount(version: .two, group: "/", point: "/sys/fs/cgroup"),
        Mount(version: .one, group: "/", point: "/sys/fs/cgroup/cpu"),
        Mount(version: .one, group: "/", point: "/sys/fs/cgroup/cpu,cpuacct"),
      ]
    }

    private init(version: Version, group: String, point: String) {
      (self.version, self.group, self.point) = (version, group, point)
    }

    /// A line of mountinfo: id, parent, device, root, mount point, options, further fields, "-", type, source, options.
    private init?(mountinfo line: Substring) {
      let fields = line.split(separator: " ")
      guard let dash = fields.firstIndex(of: "-"), dash >= 6, fields.count > dash + 3 else { return nil }
      switch fields[dash + 1] {
      case "cgroup2": version = .two
      case "cgroup" where fields[dash + 3].split(separator: ",").contains("cpu"): version = .one
      default: return nil
      }
      (group, point) = (String(fields[3]), String(fields[4]))
    }

    /// The group's directory and those around it, up to the mount point.
    func directories(above path: String) -> [String] {
      var names = path.split(separator: "/")
      let shown = group.split(separator: "/")
      // A group outside of what is mounted shows in the mount point only.
      names = names.starts(with: shown) && !names.contains("..") ? Array(names.dropFirst(shown.count)) : []
      return (0...names.count).map { count in
        ([point] + names.prefix(count).map(String.init)).joined(separator: "/")
      }
    }
  }
}
