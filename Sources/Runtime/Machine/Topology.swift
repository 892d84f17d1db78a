import CHwloc

/// A set of processors, owned: hwloc's bitmap that frees itself.
struct ProcessorSet: ~Copyable {
  let bitmap: OpaquePointer

  /// An empty set, or nil where memory is out.
  init?() {
    guard let bitmap = hwloc_bitmap_alloc() else { return nil }
    self.bitmap = bitmap
  }

  init?(copying other: hwloc_const_bitmap_t) {
    guard let bitmap = hwloc_bitmap_dup(other) else { return nil }
    self.bitmap = bitmap
  }

  deinit { hwloc_bitmap_free(bitmap) }
}

/// hwloc's view of this machine, loaded once and only read afterwards.
final class Topology: @unchecked Sendable {
  // hwloc's query functions may be called from several threads once a topology is loaded.
  let handle: hwloc_topology_t

  /// The topology of the machine this process runs on; nil where hwloc finds none.
  static let current: Topology? = Topology()

  private init?() {
    var handle: hwloc_topology_t?
    guard hwloc_topology_init(&handle) == 0, let handle else { return nil }
    guard hwloc_topology_load(handle) == 0 else {
      hwloc_topology_destroy(handle)
      return nil
    }
    self.handle = handle
  }

  deinit { hwloc_topology_destroy(handle) }

  /// Objects of a type, in logical order: neighbours in the list share caches.
  func objects(_ type: hwloc_obj_type_t) -> [UnsafeMutablePointer<hwloc_obj>] {
    let count = hwloc_get_nbobjs_by_type(handle, type)
    guard count > 0 else { return [] }
    return (0..<UInt32(count)).compactMap { hwloc_get_obj_by_type(handle, type, $0) }
  }

  /// Bytes of the cache of a type above an object; nil where there is none.
  func cacheBytes(_ type: hwloc_obj_type_t, above object: UnsafeMutablePointer<hwloc_obj>) -> Int? {
    var ancestor: UnsafeMutablePointer<hwloc_obj>? = object
    while let current = ancestor {
      if current.pointee.type == type {
        let bytes = Int(current.pointee.attr.pointee.cache.size)
        return bytes > 0 ? bytes : nil
      }
      ancestor = current.pointee.parent
    }
    return nil
  }

  /// The logical index of an object's ancestor of a type.
  func ancestorIndex(_ type: hwloc_obj_type_t, of object: UnsafeMutablePointer<hwloc_obj>) -> Int? {
    var ancestor: UnsafeMutablePointer<hwloc_obj>? = object
    while let current = ancestor {
      if current.pointee.type == type { return Int(current.pointee.logical_index) }
      ancestor = current.pointee.parent
    }
    return nil
  }
}
