/// Bytes that a step reads or writes.
package struct MemoryAccess: Sendable {
  /// What the bytes are counted from: arena and prepared memory from their beginning, all else from that place.
  package let memory: Location
  package let bytes: Range<Int>
  package let isWrite: Bool
  /// Whether each worker needs all of them: packed weights.
  package let isWhole: Bool

  /// Whether the two may not happen at the same time.
  package func conflicts(with other: MemoryAccess) -> Bool {
    (isWrite || other.isWrite) && memory == other.memory && bytes.overlaps(other.bytes)
  }
}

extension Program {
  /// What each step waits for.
  package var stepOrder: StepOrder { plan.order }

  /// All memory that each step touches, but for the scratch of the worker that runs it.
  package var memoryAccesses: [[MemoryAccess]] {
    plan.steps.map { step in
      step.operands.enumerated().map { index, operand in
        let (memory, offset): (Location, Int) =
          switch operand.location {
          case .arena(let offset): (.arena(offset: 0), offset)
          case .prepared(let offset): (.prepared(offset: 0), offset)
          case let place: (place, 0)
          }
        return MemoryAccess(
          memory: memory, bytes: offset..<offset + operand.byteCount, isWrite: index >= step.inputCount,
          isWhole: index == step.shape.weightOperand)
      }
    }
  }

  /// The step that begins to write parameters; nil if none does.
  package var firstCommitStep: Int? { isTraining ? plan.firstCommitStep : nil }
}
