import Logging

/// What the runtime tells about what the system refused, and, to who asks for details, about its sessions. Nothing here
/// stops a run.
enum RuntimeLog {
  static let logger = Logger(label: "tessera.runtime")

  /// Said once a process, by whoever touches it first.
  static let bindingRefused: Void = logger.notice(
    "the system refused to bind a worker to a core; runs go on unbound and may be slower")

  static let largePagesRefused: Void = logger.notice(
    "the system refused large pages; runs go on with small ones and may be slower")

  static let memoryBindingRefused: Void = logger.notice(
    "the system refused to bind memory to a NUMA node; its pages are touched from there first")

  static let topologyUnknown: Void = logger.notice(
    "hwloc found no topology; typical caches and one core are assumed")

  static let moreWorkersThanCores: Void = logger.notice(
    "more workers than usable cores were asked for; they take turns, which is slower")

  static func made(_ session: Session) {
    logger.debug(
      "a session was made",
      metadata: [
        "nodes": "\(session.program.plan.nodes.count)", "workers": "\(session.workers)",
        "planned_bytes": "\(session.program.memoryUse(workers: session.workers).byteCount)",
      ])
  }
}
