import Foundation
import TesseraRuntime
import Testing

/// Quotas of control groups, read below a root that the test fills.
@Suite struct CPUQuotaTests {
  private static let version2 = "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"
  private static let version1 = """
    31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
    32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct
    34 31 0:31 / /sys/fs/cgroup/cpuset rw,relatime - cgroup cgroup rw,cpuset

    """

  struct Layout: Sendable, CustomStringConvertible {
    var description: String
    var mountinfo: String
    var group: String
    /// Below the root.
    var files: [String: String]
    var quota: Double?
  }

  static let layouts = [
    Layout(
      description: "version 2, in the process's own group", mountinfo: version2, group: "0::/user.slice/job\n",
      files: ["sys/fs/cgroup/user.slice/job/cpu.max": "150000 100000\n"], quota: 1.5),
    Layout(
      description: "version 2, unlimited", mountinfo: version2, group: "0::/job\n",
      files: ["sys/fs/cgroup/job/cpu.max": "max 100000\n"], quota: nil),
    Layout(
      description: "version 2, an ancestor is tighter", mountinfo: version2, group: "0::/a/b/c\n",
      files: [
        "sys/fs/cgroup/a/cpu.max": "50000 20000\n", "sys/fs/cgroup/a/b/cpu.max": "max 100000\n",
        "sys/fs/cgroup/a/b/c/cpu.max": "800000 100000\n",
      ], quota: 2.5),
    Layout(
      description: "version 2, a sibling doesn't count", mountinfo: version2, group: "0::/a/b\n",
      files: ["sys/fs/cgroup/a/c/cpu.max": "100000 100000\n", "sys/fs/cgroup/a/b/cpu.max": "300000 100000"], quota: 3),
    Layout(
      description: "version 2, a namespace of its own", mountinfo: version2, group: "0::/\n",
      files: ["sys/fs/cgroup/cpu.max": "400000 100000\n"], quota: 4),
    Layout(
      description: "version 2, mounted from the middle",
      mountinfo: "30 23 0:26 /docker/7f /sys/fs/cgroup ro - cgroup2 cgroup rw\n", group: "0::/docker/7f/inner\n",
      files: [
        "sys/fs/cgroup/cpu.max": "200000 100000\n", "sys/fs/cgroup/inner/cpu.max": "300000 100000\n",
        "sys/fs/cgroup/docker/7f/cpu.max": "1 1000000\n",
      ], quota: 2),
    Layout(
      description: "version 2, the group is outside of the namespace", mountinfo: version2, group: "0::/../other\n",
      files: ["sys/fs/cgroup/cpu.max": "250000 100000\n", "sys/fs/other/cpu.max": "1 1000000\n"], quota: 2.5),
    Layout(
      description: "version 1", mountinfo: version1, group: "5:cpuset:/x\n4:cpu,cpuacct:/docker/7f\n1:name=systemd:/\n",
      files: [
        "sys/fs/cgroup/cpu,cpuacct/docker/7f/cpu.cfs_quota_us": "50000\n",
        "sys/fs/cgroup/cpu,cpuacct/docker/7f/cpu.cfs_period_us": "100000\n",
        "sys/fs/cgroup/cpu,cpuacct/x/cpu.cfs_quota_us": "1000\n",
        "sys/fs/cgroup/cpu,cpuacct/x/cpu.cfs_period_us": "100000\n",
      ], quota: 0.5),
    Layout(
      description: "version 1, unlimited below a limit", mountinfo: version1, group: "4:cpu,cpuacct:/a/b\n",
      files: [
        "sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us": "700000\n",
        "sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_period_us": "100000\n",
        "sys/fs/cgroup/cpu,cpuacct/a/b/cpu.cfs_quota_us": "-1\n",
        "sys/fs/cgroup/cpu,cpuacct/a/b/cpu.cfs_period_us": "100000\n",
      ], quota: 7),
    Layout(
      description: "both versions, the tighter counts",
      mountinfo: version1
        + "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n", group: "4:cpu,cpuacct:/a\n0::/b\n",
      files: [
        "sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us": "300000",
        "sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_period_us": "100000",
        "sys/fs/cgroup/unified/b/cpu.max": "150000 100000",
      ], quota: 1.5),
    Layout(
      description: "no mountinfo: the usual places", mountinfo: "", group: "0::/job\n",
      files: ["sys/fs/cgroup/job/cpu.max": "150000 100000\n"], quota: 1.5),
    Layout(
      description: "nonsense limits nothing", mountinfo: version2 + "garbage\n1 2 3 - \n",
      group: "0::/job\nx\n::\n4:cpu\n",
      files: ["sys/fs/cgroup/job/cpu.max": "many 0\n", "sys/fs/cgroup/cpu.max": "-5 100000\n"], quota: nil),
    Layout(description: "no files at all", mountinfo: version2, group: "", files: [:], quota: nil),
  ]

  @Test(arguments: layouts) func theTightestQuotaIsFound(layout: Layout) throws {
    let root = FileManager.default.temporaryDirectory.appendingPathComponent("cgroup-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: root) }
    var files = layout.files
    files["proc/self/cgroup"] = layout.group
    files["proc/self/mountinfo"] = layout.mountinfo
    for (path, text) in files {
      let file = root.appendingPathComponent(path)
      try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
      try Data(text.utf8).write(to: file)
    }
    #expect(CPUQuota.read(root: root.path) == layout.quota)
    let machine = Machine.detected(root: root.path)
    #expect(machine.quota == layout.quota)
    if let quota = layout.quota {
      #expect(machine.defaultWorkerCount == max(1, min(machine.cores.count, Int(quota))))
    } else {
      #expect(machine.defaultWorkerCount == machine.cores.count)
    }
  }
}
