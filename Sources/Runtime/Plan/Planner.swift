import TesseraGraph
import TesseraKernels

/// Turns a graph whose kernels are selected into an execution plan: orders the steps, gives every value its place.
struct Planner {
  private let graph: Graph
  private let kernels: any KernelSet.Type
  private let selection: AlgorithmSelection
  private let usesReferenceKernels: Bool
  private let isForSeveralNodes: Bool

  private var plan = ExecutionPlan()
  private var nodeKernels: [NodeKernel] = []
  private var phases: [Phase] = []
  /// The value whose memory each value uses: itself, unless it is a view or has its place in a concatenation.
  private var roots: [Value] = []
  private var slots: [Value: ChannelSlot] = [:]
  /// Bytes of each value and workspace in the arena, by number.
  private var temporaryByteCounts: [Int] = []

  /// When a node is computed.
  private enum Phase { case prepare, main, commit }

  /// - Parameter isForSeveralNodes: as ``MemoryPlan/init(_:order:isForSeveralNodes:)``.
  static func plan(
    _ graph: Graph, kernels: any KernelSet.Type, selection: AlgorithmSelection, usesReferenceKernels: Bool,
    isForSeveralNodes: Bool
  ) throws(TesseraError) -> ExecutionPlan {
    var planner = Planner(
      graph: graph, kernels: kernels, selection: selection, usesReferenceKernels: usesReferenceKernels,
      isForSeveralNodes: isForSeveralNodes)
    return try planner.makePlan()
  }

  private init(
    graph: Graph, kernels: any KernelSet.Type, selection: AlgorithmSelection, usesReferenceKernels: Bool,
    isForSeveralNodes: Bool
  ) {
    self.graph = graph
    self.kernels = kernels
    self.selection = selection
    self.usesReferenceKernels = usesReferenceKernels
    self.isForSeveralNodes = isForSeveralNodes
  }

  private mutating func makePlan() throws(TesseraError) -> ExecutionPlan {
    findRoots()
    findPhases()
    findSlots()
    try chooseKernels()
    let order = try orderedNodes()
    try checkByteCounts()
    let places = placeValues()
    try appendSteps(order, places)
    planMemory()
    estimateWork()
    return plan
  }

  // MARK: What each node is

  private mutating func chooseKernels() throws(TesseraError) {
    for node in graph.nodes {
      let inputs = node.inputs.map { graph.type(of: $0) }
      let outputs = node.outputs.map { graph.type(of: $0) }
      var kernel = NodeKernel(name: "view", phases: [])
      if !(node.operation is any ViewOperation) {
        guard let operation = node.operation as? any KernelOperation else {
          throw TesseraError(
            .unsupported, at: node.name, expected: "an operation with a kernel or a decomposition",
            found: node.operation.name)
        }
        var context = KernelContext(
          location: node.name, inputs: inputs, outputs: outputs,
          instructionSet: kernels.instructionSet, caches: selection.caches, selection: selection, kernels: kernels,
          usesReferenceKernels: usesReferenceKernels)
        setPitches(of: node, &context)
        kernel = try operation.kernel(context)
      }
      nodeKernels.append(kernel)
      plan.nodes.append(
        ExecutionPlan.PlannedNode(
          name: node.name, operation: node.operation.name, kernelName: kernel.name, inputs: inputs,
          outputs: outputs, flops: node.operation.flops(inputs)))
    }
  }

  private mutating func findRoots() {
    roots = (0..<graph.valueCount).map { Value(index: $0) }
    for node in graph.nodes where node.operation is any ViewOperation {
      roots[node.outputs[0].index] = roots[node.inputs[0].index]
    }
  }

  private func root(_ value: Value) -> Value { roots[value.index] }

  private mutating func findSlots() {
    guard !usesReferenceKernels else { return }
    var fixed = Set(graph.finiteChecks + graph.updates.map(\.value) + graph.outputs.map(\.value))
    for node in graph.nodes where node.operation is any ViewOperation { fixed.formUnion(node.inputs + node.outputs) }
    let places = ConcatenationPlan(graph) { value in
      guard case .node(let node, _) = graph.source(of: value) else { return false }
      return phases[node] == .main && !fixed.contains(value)
    }.places
    slots = places.mapValues(\.slot)
    for (value, place) in places { roots[value.index] = root(place.container) }
  }

  private func setPitches(of node: Node, _ context: inout KernelContext) {
    func pitch(_ value: Value) -> Int? {
      slots[value].map { $0.pitchByteCount / graph.type(of: value).element.byteCount }
    }
    for (index, input) in node.inputs.enumerated() { context.inputPitches[index] = pitch(input) }
    guard let output = node.outputs.first else { return }
    context.outputPitch = pitch(output)
    if let slice = node.operation as? ChannelSlice, let slot = slots[output], root(node.inputs[0]) == root(output) {
      let first = slots[node.inputs[0]]?.bytes.lowerBound ?? 0
      let offset = slice.channels.lowerBound * graph.type(of: output).element.byteCount
      if slot.bytes.lowerBound == first + offset { context.inputsInPlace = [0] }
    }
    guard node.operation is ConcatenateOperation else { return }
    var first = slots[output]?.bytes.lowerBound ?? 0
    for (index, input) in node.inputs.enumerated() {
      if let slot = slots[input], root(input) == root(output), slot.bytes.lowerBound == first {
        context.inputsInPlace.insert(index)
      }
      first += graph.type(of: input).rowByteCount
    }
  }

  private mutating func findPhases() {
    phases = [Phase](repeating: .main, count: graph.nodes.count)
    // What changes in every run is computed in every run, where it is needed: it needn't be kept.
    let written = Set(graph.updates.map(\.variable))
    let updated = Set(graph.updates.map(\.value))
    // What is read before the commit can't wait for it.
    let read = Set(graph.nodes.flatMap(\.inputs) + graph.finiteChecks)
    for (index, node) in graph.nodes.enumerated() {
      if node.operation is any InPlaceUpdate, node.outputs.contains(where: updated.contains),
        !node.outputs.contains(where: read.contains)
      {
        phases[index] = .commit
      } else if !(node.operation is any UpdateOperation), !node.inputs.isEmpty,
        node.inputs.allSatisfy({ variables(behind: $0).map(written.isDisjoint(with:)) == true })
      {
        phases[index] = .prepare
      }
    }
  }

  /// The variables from which alone a value follows; nil if it depends on a run's inputs, or on nothing that is
  /// prepared.
  private func variables(behind value: Value) -> [Int]? {
    switch graph.source(of: value) {
    case .variable(let index): return [index]
    case .constant: return []
    case .input: return nil
    case .node(let node, _):
      guard phases[node] == .prepare else { return nil }
      var result: Set<Int> = []
      for input in graph.nodes[node].inputs { result.formUnion(variables(behind: input) ?? []) }
      return result.sorted()
    }
  }

  // MARK: Order

  private func orderedNodes() throws(TesseraError) -> [Int] {
    let prepare = graph.nodes.indices.filter { phases[$0] == .prepare }
    let main = graph.nodes.indices.filter { phases[$0] == .main }
    // An update writes over its variable. Others that read the old value go first.
    var commit = graph.nodes.indices.filter { phases[$0] == .commit }
    var ordered: [Int] = []
    while !commit.isEmpty {
      let next = commit.firstIndex { candidate in
        let written = Set(updatedVariables(by: candidate))
        return commit.allSatisfy { other in
          other == candidate || written.isDisjoint(with: readVariables(by: other))
        }
      }
      guard let next else {
        throw TesseraError(
          .unsupported, at: graph.nodes[commit[0]].name,
          expected: "updates of which one doesn't read what another writes", found: "a cycle")
      }
      ordered.append(commit.remove(at: next))
    }
    return prepare + main + ordered
  }

  private func readVariables(by node: Int) -> [Int] {
    graph.nodes[node].inputs.compactMap {
      if case .variable(let index) = graph.source(of: root($0)) { index } else { nil }
    }
  }

  private func updatedVariables(by node: Int) -> [Int] {
    graph.updates.filter { graph.nodes[node].outputs.contains($0.value) }.map(\.variable)
  }

  // MARK: Memory

  /// Each size fits Int; offsets are sums of them.
  /// - Throws: ``TesseraError/Code/invalidShape`` if all values together are more bytes than an offset can be.
  private func checkByteCounts() throws(TesseraError) {
    var total = 0
    func count(_ byteCount: Int, _ name: String) throws(TesseraError) {
      let (sum, overflow) = total.addingReportingOverflow(MemoryPlan.aligned(byteCount))
      guard !overflow else {
        throw TesseraError(
          .invalidShape, at: name, expected: "values of at most \(Int.max) bytes together", found: "more")
      }
      total = sum
    }
    for (node, kernel) in zip(graph.nodes, nodeKernels) {
      for value in node.outputs { try count(graph.type(of: value).byteCount, node.name) }
      try count(kernel.workspaceByteCount, node.name)
    }
  }

  /// Where a value is; what is in the arena has a number until all steps are there.
  private struct Place {
    var location = Location.arena(offset: 0)
    var temporary: Int?
  }

  /// The operands in whose place a node's kernel may write a result: of its size, and read by nothing that comes after.
  private func overwritten(by value: Value, of node: Int, lastReaders: [Int]) -> [Value] {
    guard value == graph.nodes[node].outputs[0], phases[node] == .main else { return [] }
    let inputs = graph.nodes[node].inputs
    // What has its place in a concatenation isn't as dense as the result is to be.
    let overwritable = nodeKernels[node].overwritableInputs.filter { slots[inputs[$0]] == nil }
    return overwritable.map { root(inputs[$0]) }.filter { operand in
      lastReaders[operand.index] == node && graph.type(of: operand).byteCount == graph.type(of: value).byteCount
        && inputs.indices.allSatisfy { overwritable.contains($0) || root(inputs[$0]) != operand }
    }
  }

  /// The last node that reads each value's memory; the number of nodes for what the commit, a check or an output reads.
  private func lastReaders() -> [Int] {
    var last = [Int](repeating: -1, count: graph.valueCount)
    let end = graph.nodes.count
    for (index, node) in graph.nodes.enumerated() where !(node.operation is any ViewOperation) {
      for value in node.inputs {
        last[root(value).index] = max(last[root(value).index], phases[index] == .commit ? end : index)
      }
    }
    for value in graph.finiteChecks + graph.updates.map(\.value) + graph.outputs.map(\.value) {
      last[root(value).index] = end
    }
    return last
  }

  /// Gives every value its place, and every node its workspace's.
  private mutating func placeValues() -> (values: [Place], workspaces: [Place]) {
    let updates = Dictionary(
      graph.updates.map { ($0.value, $0.variable) }, uniquingKeysWith: { first, _ in first })
    // An output that a node writes goes straight to the caller's memory.
    var outputs: [Value: Int] = [:]
    for (index, output) in graph.outputs.enumerated() {
      let value = root(output.value)
      if case .node(let node, _) = graph.source(of: value), phases[node] == .main,
        outputs[value] == nil, updates[value] == nil
      {
        outputs[value] = index
      }
    }

    func temporary(_ byteCount: Int) -> Place {
      temporaryByteCounts.append(byteCount)
      return Place(temporary: temporaryByteCounts.count - 1)
    }

    let lastReaders = lastReaders()
    var values = [Place](repeating: Place(), count: graph.valueCount)
    for index in values.indices {
      let value = Value(index: index)
      guard root(value) == value else { continue }
      switch graph.source(of: value) {
      case .input(let number): values[index].location = .input(number)
      case .variable(let number): values[index].location = .variable(number)
      case .constant(let number): values[index].location = .constant(number)
      case .node(let node, _):
        if let output = outputs[value] {
          values[index].location = .output(output)
        } else if phases[node] == .prepare {
          values[index].location = .prepared(offset: plan.preparedByteCount)
          plan.preparedByteCount += MemoryPlan.aligned(graph.type(of: value).byteCount)
        } else if phases[node] == .commit, let variable = updates[value] {
          values[index].location = .variable(variable)
        } else {
          let operands = overwritten(by: value, of: node, lastReaders: lastReaders)
          values[index] =
            operands.lazy.map { values[$0.index] }.first { $0.temporary != nil }
            ?? temporary(graph.type(of: value).byteCount)
        }
      }
    }
    for index in values.indices { values[index] = values[root(Value(index: index)).index] }
    // Prepared nodes run with the others: their workspace is in the arena too.
    let workspaces = nodeKernels.map { kernel in
      kernel.workspaceByteCount > 0 ? temporary(kernel.workspaceByteCount) : Place()
    }
    return (values, workspaces)
  }

  /// What steps wait for decides which values may share memory, and what shares memory has steps wait.
  private mutating func planMemory() {
    plan.order = StepOrder(plan.steps)
    var steps = [[Int]](repeating: [], count: temporaryByteCounts.count)
    var areReadWhole: Set<Int> = []
    for (index, step) in plan.steps.enumerated() {
      for number in Set(step.operands.compactMap(\.temporary)) { steps[number].append(index) }
      if let weights = step.shape.weightOperand.flatMap({ step.operands[$0].temporary }) {
        areReadWhole.insert(weights)
      }
    }
    let values = temporaryByteCounts.indices.map {
      MemoryPlan.Temporary(
        byteCount: temporaryByteCounts[$0], steps: steps[$0], isReadWhole: areReadWhole.contains($0), plan.order)
    }
    let memory = MemoryPlan(values, order: &plan.order, isForSeveralNodes: isForSeveralNodes)
    plan.arenaByteCount = memory.arenaByteCount
    plan.arenaSlots = memory.slots
    plan.peak = ArenaPeak(values, plan.steps)
    for step in plan.steps.indices {
      for operand in plan.steps[step].operands.indices {
        guard let number = plan.steps[step].operands[operand].temporary else { continue }
        plan.steps[step].operands[operand].location = .arena(offset: memory.offsets[number])
      }
    }
  }

  // MARK: Steps

  private mutating func appendSteps(
    _ order: [Int], _ places: (values: [Place], workspaces: [Place])
  ) throws(TesseraError) {
    func operand(_ place: Place, _ byteCount: Int, _ slot: ChannelSlot? = nil) -> Operand {
      Operand(location: place.location, byteCount: byteCount, temporary: place.temporary, slot: slot)
    }
    func operand(_ value: Value) -> Operand {
      operand(places.values[value.index], graph.type(of: value).byteCount, slots[value])
    }

    func steps(of node: Int) -> [Step] {
      let kernel = nodeKernels[node]
      let inputs = graph.nodes[node].inputs.map(operand)
      let outputs = graph.nodes[node].outputs.map(operand)
      let workspace = operand(places.workspaces[node], kernel.workspaceByteCount)
      let preparedFrom =
        phases[node] == .prepare ? variables(behind: graph.nodes[node].outputs[0]) : nil
      return kernel.phases.map { phase in
        Step(
          name: graph.nodes[node].name, kernelName: kernel.name, node: node,
          taskCount: phase.taskCount, shape: phase.shape, work: .kernel(phase.run),
          operands: inputs + outputs + [workspace], inputCount: inputs.count,
          outputCount: outputs.count, preparedFrom: preparedFrom)
      }
    }

    func copy(_ source: Operand, to target: Location, name: String) -> Step {
      let copied = CopyKernel(byteCount: source.byteCount)
      return Step(
        name: name, kernelName: "copy", taskCount: copied.taskCount, work: .kernel(copied.run),
        operands: [
          source, Operand(location: target, byteCount: source.byteCount),
          Operand(location: .arena(offset: 0), byteCount: 0),
        ], inputCount: 1, outputCount: 1)
    }

    plan.scratchByteCount = nodeKernels.map(\.scratchByteCount).max() ?? 0

    let prepared = order.filter { phases[$0] == .prepare }.flatMap(steps)
    if !prepared.isEmpty {
      plan.steps = prepared
      plan.steps.append(
        Step(name: "publish prepared", kernelName: "publish", taskCount: 1, work: .publishPrepared))
      plan.prepareStepCount = plan.steps.count
    }
    plan.steps += order.filter { phases[$0] == .main }.flatMap(steps)

    var lateCopies: [Step] = []
    for (index, output) in graph.outputs.enumerated() {
      let source = operand(output.value)
      guard source.location != .output(index) else { continue }
      let step = copy(source, to: .output(index), name: "output \(output.name)")
      if case .node(let node, _) = graph.source(of: root(output.value)), phases[node] == .commit {
        lateCopies.append(step)
      } else {
        plan.steps.append(step)
      }
    }
    for value in graph.finiteChecks {
      plan.steps.append(
        try FiniteCheck.step(
          operand(value), graph.type(of: value).element, name: graph.name(of: value), kernels))
    }

    plan.firstCommitStep = plan.steps.count
    guard !graph.updates.isEmpty else { return }
    plan.updatedVariables = graph.updates.map(\.variable)
    plan.steps.append(
      Step(name: "begin commit", kernelName: "commit", taskCount: 1, work: .beginCommit))
    // Updates in place come first: they read variables as they were, and touch no value that a copy reads.
    plan.steps += order.filter { phases[$0] == .commit }.flatMap(steps)
    for update in graph.updates {
      let source = operand(update.value)
      let name = graph.variables[update.variable].variable.name
      switch source.location {
      case .variable(update.variable): continue
      case .variable, .input:
        throw TesseraError(
          .unsupported, at: name, expected: "an update that a node computes",
          found: graph.name(of: update.value))
      default: plan.steps.append(copy(source, to: .variable(update.variable), name: name))
      }
    }
    plan.steps += lateCopies
  }

  // MARK: Work

  /// The rates are those of one core of a server, within a factor of two: 80 GFLOP/s of the direct algorithm, 20 GB/s.
  private mutating func estimateWork() {
    for (index, node) in plan.nodes.enumerated() where phases[index] != .prepare {
      let byteCount = (node.inputs + node.outputs).reduce(0.0) { $0 + Double($1.byteCount) }
      plan.estimatedSeconds += node.flops / 80e9 + byteCount / 20e9
    }
  }
}
