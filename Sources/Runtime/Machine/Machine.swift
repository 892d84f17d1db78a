import CHwloc
import Dispatch
public import TesseraKernels

/// The part of the machine that this process may use: its cores and their caches, read with hwloc and cut by the
/// affinity mask.
public struct Machine: Sendable, CustomStringConvertible {
  /// One physical core that may be used.
  public struct Core: Hashable, Sendable {
    /// hwloc's logical number; neighbours share caches.
    public let index: Int
    /// The operating system's number of the processor that a worker binds to.
    public let processor: Int
    /// Processors of this core that may be used: 1 without simultaneous multithreading.
    public let processorCount: Int
    /// Logical numbers of what contains it; 0 where the machine doesn't say.
    public let package: Int
    /// The NUMA node whose memory is nearest.
    public let numaNode: Int
    /// The last-level cache above it.
    public let level3: Int
  }

  /// In hwloc's order.
  public let cores: [Core]
  /// Cores of the machine, usable or not.
  public let machineCoreCount: Int
  /// Data caches above the first core.
  public let caches: CacheSizes
  /// Bytes of memory of the whole machine; 0 where it isn't known.
  public let memoryBytes: Int
  /// As the processor calls itself.
  public let processorName: String

  /// The machine as it was when first asked for.
  public static let current: Machine = {
    if let machine = detected() { return machine }
    RuntimeLog.topologyUnknown
    return unknown
  }()

  /// One worker a usable core.
  public var defaultWorkerCount: Int { max(1, cores.count) }

  /// Nil where hwloc can't say.
  private static func detected() -> Machine? {
    guard let topology = Topology.current, let allowed = ProcessorSet() else { return nil }
    let root = hwloc_get_obj_by_type(topology.handle, HWLOC_OBJ_MACHINE, 0)
    let bound = hwloc_get_cpubind(
      topology.handle, allowed.bitmap, Int32(HWLOC_CPUBIND_THREAD.rawValue))
    if bound != 0 || hwloc_bitmap_iszero(allowed.bitmap) != 0 {
      hwloc_bitmap_copy(allowed.bitmap, hwloc_topology_get_allowed_cpuset(topology.handle))
    }
    var cores: [Core] = []
    // Without core objects (some virtual machines) each processor counts as one.
    let coreObjects = topology.objects(HWLOC_OBJ_CORE)
    let objects = coreObjects.isEmpty ? topology.objects(HWLOC_OBJ_PU) : coreObjects
    for object in objects {
      guard let usable = ProcessorSet() else { continue }
      hwloc_bitmap_and(usable.bitmap, object.pointee.cpuset, allowed.bitmap)
      let processor = hwloc_bitmap_first(usable.bitmap)
      guard processor >= 0 else { continue }
      cores.append(
        Core(
          index: Int(object.pointee.logical_index), processor: Int(processor),
          processorCount: Int(hwloc_bitmap_weight(usable.bitmap)),
          package: topology.ancestorIndex(HWLOC_OBJ_PACKAGE, of: object) ?? 0,
          numaNode: numaNode(of: object, in: topology),
          level3: topology.ancestorIndex(HWLOC_OBJ_L3CACHE, of: object) ?? 0))
    }
    guard let first = objects.first, !cores.isEmpty else { return nil }
    let typical = CacheSizes.typical
    return Machine(
      cores: cores, machineCoreCount: objects.count,
      caches: CacheSizes(
        level1Bytes: topology.cacheBytes(HWLOC_OBJ_L1CACHE, above: first) ?? typical.level1Bytes,
        level2Bytes: topology.cacheBytes(HWLOC_OBJ_L2CACHE, above: first) ?? typical.level2Bytes,
        level3Bytes: topology.cacheBytes(HWLOC_OBJ_L3CACHE, above: first) ?? typical.level3Bytes),
      memoryBytes: root.map { Int($0.pointee.total_memory) } ?? 0,
      processorName: processorName(in: topology))
  }

  private static let unknown = Machine(
    cores: [Core(index: 0, processor: 0, processorCount: 1, package: 0, numaNode: 0, level3: 0)],
    machineCoreCount: 1, caches: .typical, memoryBytes: 0, processorName: "unknown processor")

  private static func numaNode(of object: UnsafeMutablePointer<hwloc_obj>, in topology: Topology)
    -> Int
  {
    let nodes = hwloc_bitmap_first(object.pointee.nodeset)
    return max(0, Int(nodes))
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
