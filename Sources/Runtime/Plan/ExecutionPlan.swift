import TesseraGraph
import TesseraKernels

/// Where an operand's bytes are during a run.
package enum Location: Hashable, Sendable {
  case arena(offset: Int)
  /// Memory that keeps its contents between runs: packed weights, and what else follows from parameters alone.
  case prepared(offset: Int)
  case constant(Int)
  case input(Int)
  case output(Int)
  case variable(Int)
}

struct Operand: Hashable, Sendable {
  var location: Location
  var byteCount: Int
  /// In the arena: the number of the value or workspace, whose memory it has for a time.
  var temporary: Int?
  /// Where its rows lie in those of the value that the location is of; nil: it is all of it.
  var slot: ChannelSlot?

  /// Bytes from the location to the operand's first.
  var byteOffset: Int { slot?.bytes.lowerBound ?? 0 }

  /// Bytes from its first to its last, others' between its rows included.
  var spanByteCount: Int {
    guard let slot, byteCount > 0 else { return byteCount }
    return (byteCount / slot.bytes.count - 1) * slot.pitchByteCount + slot.bytes.count
  }
}

/// One barrier-free piece of a run: tasks that may run in any order, all after the steps that it waits for.
struct Step: Sendable {
  enum Work: Sendable {
    case kernel(@Sendable (Range<Int>, KernelArguments) throws -> Void)
    /// From here on what was prepared may be read by other runs of the session.
    case publishPrepared
    /// Waits until no one reads the parameters, and keeps readers out until the run ends.
    case beginCommit
  }

  /// The node's name.
  var name: String
  var kernelName: String
  /// Index into ``ExecutionPlan/nodes``, for reports; nil for the runtime's own steps.
  var node: Int?
  var taskCount: Int
  var shape = PhaseShape()
  var work: Work
  /// Inputs, outputs, workspace.
  var operands: [Operand] = []
  var inputCount = 0
  var outputCount = 0
  /// Variables that the step's result follows from, if it needs doing only when one of these was written.
  var preparedFrom: [Int]?

  /// Bytes that a part of the channels reads whole.
  var weightByteCount: Int { shape.weightOperand.map { operands[$0].byteCount } ?? 0 }
  /// Bytes that a part of batch and rows reads.
  var inputByteCount: Int { operands.prefix(inputCount).reduce(0) { $0 + $1.byteCount } - weightByteCount }
}

/// The program as the workers walk it: steps, what each waits for, and every operand's place.
struct ExecutionPlan: Sendable {
  struct PlannedNode: Sendable {
    var name: String
    var operation: String
    var kernelName: String
    var inputs: [TensorType]
    var outputs: [TensorType]
    var flops: Double
  }

  var nodes: [PlannedNode] = []
  /// Preparation, then the graph, then the commit: what one worker does in this order.
  var steps: [Step] = []
  /// What each step waits for.
  var order = StepOrder(predecessors: [])
  /// Number of the steps that prepare, the publication included; 0 if there is nothing to prepare.
  var prepareStepCount = 0
  /// The step from which on parameters are written; the number of steps if none are.
  var firstCommitStep = 0
  /// How long a run takes one worker, roughly: what it decides is how many workers share it.
  var estimatedSeconds = 0.0
  var arenaByteCount = 0
  /// As ``MemoryPlan/slots``.
  var arenaSlots: [Range<Int>] = []
  /// What is alive in the arena when most is.
  var peak = ArenaPeak()
  var preparedByteCount = 0
  var scratchByteCount = 0
  var isTraining: Bool { !updatedVariables.isEmpty }
  /// Variables written by the commit.
  var updatedVariables: [Int] = []
}
