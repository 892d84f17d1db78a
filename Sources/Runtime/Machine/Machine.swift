import CHwloc
public import TesseraGraph
public import TesseraKernels

/// The part of a machine that a process may use: its cores and their caches, as hwloc tells, cut by the affinity mask and
/// by the quota of the process's control groups.
///
/// It is read from the computer this runs on, from a file that `lstopo` wrote on another, or from a description of one that
/// needn't exist: plans for 256 cores can be made and tested on a laptop.
public struct Machine: Sendable, CustomStringConvertible {
  /// What one worker runs on: a physical core, or one of its hardware threads where these were asked for.
  public struct Core: Hashable, Sendable {
    /// hwloc's logical number of the core; neighbours share caches.
    public let index: Int
    /// The operating system's number of the processor that a worker binds to.
    public let processor: Int
    /// Processors that may be used here: 1 without simultaneous multithreading.
    public let processorCount: Int
    /// Logical numbers of what contains it; 0 where the machine doesn't say.
    public let package: Int
    /// The operating system's number of the NUMA node whose memory is nearest.
    public let numaNode: Int
    /// The last-level cache above it.
    public let level3: Int
    /// The level 2 cache above it; its own number where the machine doesn't say.
    public let level2: Int
  }

  /// In hwloc's order.
  public let cores: [Core]
  /// Cores of the machine, usable or not.
  public let machineCoreCount: Int
  /// Data caches above the first usable core.
  public let caches: CacheSizes
  /// Bytes of memory of the whole machine; 0 where it isn't known.
  public let memoryBytes: Int
  /// As the processor calls itself.
  public let processorName: String
  /// Processors' worth of time that control groups grant, as in 1.5; nil where nothing limits it.
  public let quota: Double?
  /// Whether this is the computer that the process runs on. Workers bind to no other.
  public let isThisSystem: Bool

  /// The machine as it was when first asked for; hardware threads count where `TESSERA_SMT` is 1.
  public static let current: Machine = detected(usesHardwareThreads: EnvironmentSettings.usesHardwareThreads)

  /// One worker a usable core, as far as the quota allows: with 1.5 processors' worth of time a second worker would make
  /// the first wait for it.
  public var defaultWorkerCount: Int { CPUQuota.workers(quota, cores: cores.count) }

  /// The operating system's numbers of the NUMA nodes that usable cores are nearest to, in the order of the cores.
  package var numaNodes: [Int] {
    var nodes: [Int] = []
    for core in cores where !nodes.contains(core.numaNode) { nodes.append(core.numaNode) }
    return nodes
  }

  // MARK: Where it is read from

  /// The computer that this process runs on.
  /// - Parameters:
  ///   - usesHardwareThreads: whether each hardware thread counts as a core. Two workers of one core share its
  ///     multipliers and its caches, which rarely pays.
  ///   - root: what stands before `/proc` and `/sys` where control groups are looked up.
  package static func detected(usesHardwareThreads: Bool = false, root: String = "") -> Machine {
    let quota = CPUQuota.read(root: root)
    if let topology = Topology.ofThisSystem(),
      let machine = Machine(topology, quota: quota, usesHardwareThreads: usesHardwareThreads)
    {
      return machine
    }
    RuntimeLog.topologyUnknown
    return Machine(
      cores: [Core(index: 0, processor: 0, processorCount: 1, package: 0, numaNode: 0, level3: 0, level2: 0)],
      machineCoreCount: 1, caches: .typical, memoryBytes: 0, processorName: "unknown processor", quota: quota,
      isThisSystem: true)
  }

  /// A machine that needn't exist, as in `package:2 numa:4 l3:4 core:8 pu:2`, whose counts are per parent: 2 packages,
  /// 8 nodes, 32 level 3 caches, 256 cores, 512 processors. Attributes may follow a level: `l3:4(size=33554432)`.
  /// - Throws: ``TesseraError/Code/invalidAttribute`` that names what isn't understood.
  public init(synthetic description: String, usesHardwareThreads: Bool = false) throws(TesseraError) {
    let topology = try Topology.synthetic(description)
    guard let machine = Machine(topology, quota: nil, usesHardwareThreads: usesHardwareThreads) else {
      throw SyntheticTopology.refused(description)
    }
    self = machine
  }

  /// The machine in a file that `lstopo file.xml` wrote.
  /// - Throws: ``TesseraError/Code/invalidFile`` if there is no such file, or no topology in it.
  public init(xmlFile path: String, usesHardwareThreads: Bool = false) throws(TesseraError) {
    let topology = try Topology.xmlFile(path)
    guard let machine = Machine(topology, quota: nil, usesHardwareThreads: usesHardwareThreads) else {
      throw TesseraError(.invalidFile, at: path, expected: "a topology with processors", found: "none")
    }
    self = machine
  }

  private init(
    cores: [Core], machineCoreCount: Int, caches: CacheSizes, memoryBytes: Int, processorName: String, quota: Double?,
    isThisSystem: Bool
  ) {
    (self.cores, self.machineCoreCount, self.caches) = (cores, machineCoreCount, caches)
    (self.memoryBytes, self.processorName) = (memoryBytes, processorName)
    (self.quota, self.isThisSystem) = (quota, isThisSystem)
  }

  /// Nil where hwloc knows no processor that may be used.
  private init?(_ topology: Topology, quota: Double?, usesHardwareThreads: Bool) {
    guard let allowed = ProcessorSet(), let usable = ProcessorSet() else { return nil }
    let isBound =
      topology.isThisSystem
      && hwloc_get_cpubind(topology.handle, allowed.bitmap, Int32(HWLOC_CPUBIND_THREAD.rawValue)) == 0
      && hwloc_bitmap_iszero(allowed.bitmap) == 0
    if !isBound { hwloc_bitmap_copy(allowed.bitmap, hwloc_topology_get_allowed_cpuset(topology.handle)) }

    // Without core objects (some virtual machines) each processor counts as one.
    let coreObjects = topology.objects(HWLOC_OBJ_CORE)
    let objects = coreObjects.isEmpty ? topology.objects(HWLOC_OBJ_PU) : coreObjects
    var cores: [Core] = []
    var first: UnsafeMutablePointer<hwloc_obj>?
    for object in objects {
      func index(_ type: hwloc_obj_type_t) -> Int? {
        topology.ancestor(type, of: object).map { Int($0.pointee.logical_index) }
      }
      hwloc_bitmap_and(usable.bitmap, object.pointee.cpuset, allowed.bitmap)
      var processor = hwloc_bitmap_first(usable.bitmap)
      guard processor >= 0 else { continue }
      first = first ?? object
      let count = Int(hwloc_bitmap_weight(usable.bitmap))
      let number = Int(object.pointee.logical_index)
      repeat {
        cores.append(
          Core(
            index: number, processor: Int(processor), processorCount: usesHardwareThreads ? 1 : count,
            package: index(HWLOC_OBJ_PACKAGE) ?? 0, numaNode: max(0, Int(hwloc_bitmap_first(object.pointee.nodeset))),
            level3: index(HWLOC_OBJ_L3CACHE) ?? 0, level2: index(HWLOC_OBJ_L2CACHE) ?? number))
        processor = hwloc_bitmap_next(usable.bitmap, processor)
      } while usesHardwareThreads && processor >= 0
    }
    guard let first else { return nil }
    let typical = CacheSizes.typical
    let caches = CacheSizes(
      level1Bytes: topology.cacheBytes(HWLOC_OBJ_L1CACHE, above: first) ?? typical.level1Bytes,
      level2Bytes: topology.cacheBytes(HWLOC_OBJ_L2CACHE, above: first) ?? typical.level2Bytes,
      level3Bytes: topology.cacheBytes(HWLOC_OBJ_L3CACHE, above: first) ?? typical.level3Bytes)
    let root = hwloc_get_obj_by_type(topology.handle, HWLOC_OBJ_MACHINE, 0)
    self.init(
      cores: cores, machineCoreCount: objects.count, caches: caches,
      memoryBytes: root.map { Int(clamping: $0.pointee.total_memory) } ?? 0,
      processorName: Self.processorName(in: topology), quota: quota, isThisSystem: topology.isThisSystem)
  }

  private static func processorName(in topology: Topology) -> String {
    for object in topology.objects(HWLOC_OBJ_PACKAGE) {
      for index in 0..<Int(object.pointee.infos_count) {
        let info = object.pointee.infos[index]
        if String(cString: info.name) == "CPUModel" { return String(cString: info.value) }
      }
    }
    return "unknown processor"
  }

  public var description: String {
    "\(processorName): \(cores.count) of \(machineCoreCount) cores usable, "
      + "L1 \(caches.level1Bytes >> 10) KiB, L2 \(caches.level2Bytes >> 10) KiB, "
      + "L3 \(caches.level3Bytes >> 10) KiB"
  }
}
