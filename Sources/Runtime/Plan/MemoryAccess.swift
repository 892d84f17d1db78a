/// Bytes that a step reads or writes.
package struct MemoryAccess: Sendable {
  /// What the bytes are counted from: arena and prepared memory from their beginning, all else from that place.
  package let memory: Location
  package let bytes: Range<Int>
  package let isWrite: Bool
  /// Whether each worker needs all of them: packed weights.
  package let isWhole: Bool
  /// If only some of these bytes are touched: some of each row of a value that begins `bytes.lowerBound -
  /// slot.bytes.lowerBound` bytes into that memory.
  let slot: ChannelSlot?

  /// Whether the two may not happen at the same time.
  package func conflicts(with other: MemoryAccess) -> Bool {
    guard isWrite || other.isWrite, memory == other.memory, bytes.overlaps(other.bytes) else { return false }
    guard let slot, let otherSlot = other.slot, slot.pitchByteCount == otherSlot.pitchByteCount else { return true }
    let isSameValue =
      bytes.lowerBound - slot.bytes.lowerBound == other.bytes.lowerBound - otherSlot.bytes.lowerBound
    return !isSameValue || slot.bytes.overlaps(otherSlot.bytes)
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
        let first = offset + operand.byteOffset
        return MemoryAccess(
          memory: memory, bytes: first..<first + operand.spanByteCount, isWrite: index >= step.inputCount,
          isWhole: index == step.shape.weightOperand, slot: operand.slot)
      }
    }
  }

  /// The step that begins to write parameters; nil if none does.
  package var firstCommitStep: Int? { isTraining ? plan.firstCommitStep : nil }
}
