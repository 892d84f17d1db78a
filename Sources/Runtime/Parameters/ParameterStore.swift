import Synchronization
public import TesseraGraph

/// The state of a model: weights, optimizer state, running statistics, step and seed, by name. Any number of programs
/// bind the same store without a copy: training at batch 64, inference at batch 1, the odd last batch of an epoch.
///
/// A reader sees all parameters as they were before a training step or as they are after it, never between: a run holds
/// the store shared from its first task to its last, a step takes it alone while it writes. One step at a time; a
/// second one waits.
public final class ParameterStore: Sendable {
  /// The seed from which initial values and dropout masks come.
  public let seed: UInt64

  /// Held shared by runs and readers, alone by whoever writes.
  let lock = ReadWriteLock()
  /// Held by a training step from its first task to its last, and by every other writer.
  let writing = Lock<Void>(())

  private let variables = Lock<[String: StoredVariable]>([:])

  /// An empty store. Sessions add the variables of their programs.
  public init(seed: UInt64 = 0) { self.seed = seed }

  /// Names of all variables, sorted.
  public var names: [String] { variables.withLock { $0.keys.sorted() } }

  /// A copy of one variable, or nil if there is none of that name.
  /// - Throws: ``TesseraError/Code/systemFailure`` if there is no memory for it.
  public subscript(name: String) -> Tensor? {
    get throws(TesseraError) {
      guard let variable = stored(name) else { return nil }
      lock.lockShared()
      defer { lock.unlockShared() }
      return try variable.copy()
    }
  }

  /// Copies of all variables, from one moment.
  /// - Throws: as the subscript.
  public func snapshot() throws(TesseraError) -> [String: Tensor] {
    lock.lockShared()
    defer { lock.unlockShared() }
    var copies: [String: Tensor] = [:]
    for (name, variable) in variables.withLock({ $0 }) { copies[name] = try variable.copy() }
    return copies
  }

  /// What a variable is for; nil if there is none of that name.
  public func variable(named name: String) -> Variable? { stored(name)?.variable }

  /// Overwrites variables, all of them or, if one doesn't fit, none. Names that don't exist yet are an error: variables
  /// come from graphs (``add(_:)``).
  /// - Throws: ``TesseraError/Code/notFound``, or ``TesseraError/Code/shapeMismatch`` for another type.
  public func set(_ values: [String: Tensor]) throws(TesseraError) {
    var targets: [(StoredVariable, Tensor)] = []
    for (name, tensor) in values {
      guard let variable = stored(name) else {
        throw TesseraError(
          .notFound, at: "parameter store", expected: "one of \(names.count) known variables",
          found: "\"\(name)\"")
      }
      guard variable.variable.type == tensor.type else {
        throw TesseraError(
          .shapeMismatch, at: name, expected: "\(variable.variable.type)", found: "\(tensor.type)")
      }
      targets.append((variable, tensor))
    }
    writing.withLock { _ in
      lock.lockExclusive()
      defer { lock.unlockExclusive() }
      for (variable, tensor) in targets {
        variable.memory.bytes.copyMemory(from: UnsafeRawBufferPointer(tensor.storage.bytes))
        variable.bumpVersion()
      }
    }
  }

  /// Adds the variables of a graph that aren't here yet, with their initial values; what is here keeps its value.
  /// - Throws: ``TesseraError/Code/shapeMismatch`` if a variable of that name has another type or its initializer another
  ///   number of elements, ``TesseraError/Code/systemFailure`` if there is no memory. Then nothing was added.
  public func add(_ graph: Graph) throws(TesseraError) {
    for read in graph.variables {
      if let present = stored(read.variable.name), present.variable.type != read.variable.type {
        throw Self.mismatch(read.variable, stored: present)
      }
    }
    let new = graph.variables.map(\.variable).filter { stored($0.name) == nil }
    var added: [StoredVariable] = []
    guard !new.isEmpty else { return }
    // One piece for all: large pages aren't left partly empty. All workers read it.
    let byteCount = MemoryPlan.byteCount(of: new)
    let memory = try AlignedMemory(
      allocating: byteCount, for: "variables",
      homes: PageHomes(spreading: byteCount, over: Machine.current.numaNodes))
    var offset = 0
    for variable in new {
      let part = AlignedMemory(offset..<offset + variable.type.byteCount, of: memory)
      offset += MemoryPlan.aligned(variable.type.byteCount)
      try InitialValue.fill(part, of: variable, seed: seed)
      added.append(StoredVariable(variable, part))
    }
    try variables.withLock { (variables) throws(TesseraError) in
      // Another thread may have been first.
      for new in added {
        if let present = variables[new.variable.name], present.variable.type != new.variable.type {
          throw Self.mismatch(new.variable, stored: present)
        }
      }
      for new in added where variables[new.variable.name] == nil { variables[new.variable.name] = new }
    }
  }

  private static func mismatch(_ variable: Variable, stored: StoredVariable) -> TesseraError {
    TesseraError(
      .shapeMismatch, at: variable.name, expected: "\(stored.variable.type), as stored",
      found: "\(variable.type)")
  }

  /// The variable that a session reads and writes; exists after ``add(_:)``.
  func stored(_ name: String) -> StoredVariable? { variables.withLock { $0[name] } }
}

/// One variable's memory. It never moves; the store's lock says who may touch it.
final class StoredVariable: Sendable {
  let variable: Variable
  let memory: AlignedMemory
  /// Counts writes: what was derived from an older version is stale.
  private let writes = Atomic<UInt64>(1)

  init(_ variable: Variable, _ memory: AlignedMemory) {
    self.variable = variable
    self.memory = memory
  }

  var version: UInt64 { writes.load(ordering: .acquiring) }

  func bumpVersion() { writes.wrappingAdd(1, ordering: .releasing) }

  /// The caller holds the store shared.
  func copy() throws(TesseraError) -> Tensor {
    let tensor = try Tensor(allocating: variable.type, for: "a copy of \(variable.name)")
    tensor.storage.bytes.copyMemory(from: UnsafeRawBufferPointer(memory.bytes))
    return tensor
  }
}
