import CHwloc
import TesseraGraph

/// A set of processors, owned: hwloc's bitmap that frees itself.
struct ProcessorSet: ~Copyable {
  let bitmap: OpaquePointer

  /// An empty set, or nil where memory is out.
  init?() {
    guard let bitmap = hwloc_bitmap_alloc() else { return nil }
    self.bitmap = bitmap
  }

  deinit { hwloc_bitmap_free(bitmap) }
}

/// hwloc's view of a machine, loaded once and only read afterwards.
final class Topology: @unchecked Sendable {
  // hwloc's query functions may be called from several threads once a topology is loaded.
  let handle: hwloc_topology_t

  /// The machine this process runs on; nil where hwloc finds none.
  static func ofThisSystem() -> Topology? { Topology { _ in 0 } }

  /// A machine that needn't exist.
  /// - Throws: ``TesseraError/Code/invalidAttribute`` that names what isn't understood.
  static func synthetic(_ description: String) throws(TesseraError) -> Topology {
    try SyntheticTopology.check(description)
    guard let topology = Topology({ hwloc_topology_set_synthetic($0, description) }) else {
      throw SyntheticTopology.refused(description)
    }
    return topology
  }

  /// A machine that `lstopo file.xml` has written down.
  /// - Throws: ``TesseraError/Code/invalidFile`` if there is no such file, or no topology in it.
  static func xmlFile(_ path: String) throws(TesseraError) -> Topology {
    guard let text = SystemFile.text(path, limit: 64 << 20) else {
      throw TesseraError(.invalidFile, at: path, expected: "a readable file", found: "none")
    }
    try TopologyFile.check(text, path: path)
    guard let topology = Topology({ hwloc_topology_set_xml($0, path) }) else {
      throw TesseraError(
        .invalidFile, at: path, expected: "a topology in hwloc's XML format, as `lstopo file.xml` writes it",
        found: "one that hwloc refuses")
    }
    return topology
  }

  private init?(_ choose: (hwloc_topology_t) -> Int32) {
    var handle: hwloc_topology_t?
    guard hwloc_topology_init(&handle) == 0, let handle else { return nil }
    guard choose(handle) == 0, hwloc_topology_load(handle) == 0 else {
      hwloc_topology_destroy(handle)
      return nil
    }
    self.handle = handle
  }

  deinit { hwloc_topology_destroy(handle) }

  /// Whether it describes the computer this process runs on: only then may anything be bound by it.
  var isThisSystem: Bool { hwloc_topology_is_thissystem(handle) == 1 }

  /// Objects of a type, in logical order: neighbours in the list share caches.
  func objects(_ type: hwloc_obj_type_t) -> [UnsafeMutablePointer<hwloc_obj>] {
    let count = hwloc_get_nbobjs_by_type(handle, type)
    guard count > 0 else { return [] }
    return (0..<UInt32(count)).compactMap { hwloc_get_obj_by_type(handle, type, $0) }
  }

  /// An object's ancestor of a type, or itself.
  func ancestor(_ type: hwloc_obj_type_t, of object: UnsafeMutablePointer<hwloc_obj>)
    -> UnsafeMutablePointer<hwloc_obj>?
  {
    var ancestor: UnsafeMutablePointer<hwloc_obj>? = object
    while let current = ancestor {
      if current.pointee.type == type { return current }
      ancestor = current.pointee.parent
    }
    return nil
  }

  /// Bytes of the cache of a type above an object; nil where there is none.
  func cacheBytes(_ type: hwloc_obj_type_t, above object: UnsafeMutablePointer<hwloc_obj>) -> Int? {
    guard let cache = ancestor(type, of: object) else { return nil }
    let bytes = Int(clamping: cache.pointee.attr.pointee.cache.size)
    return bytes > 0 ? bytes : nil
  }
}
