import TesseraGraph

/// Where the rows of a value lie within those of a wider one.
struct ChannelSlot: Hashable, Sendable {
  /// Of each row of the wider value.
  var bytes: Range<Int>
  /// From one row of the wider value to the next.
  var pitchByteCount: Int
}

/// Which values are written to their place in the concatenation that reads them, so that nobody has to copy them there.
///
/// A value gets a place in a concatenation if its kernel can write channels of wider rows, and all that read it can read
/// them (``StridedKernel``). A concatenation that has a place in another one hands it on: layers that each add channels to
/// all before them fill one tensor. Likewise a slice of channels is where it was, if all that read it can read it there.
struct ConcatenationPlan {
  struct Place {
    /// The outermost concatenation, or what was sliced, which has memory of its own.
    var container: Value
    var slot: ChannelSlot
  }

  /// Of the values that have none of their own memory.
  private(set) var places: [Value: Place] = [:]

  /// - Parameter isMovable: whether a value may lie elsewhere: neither views nor the outside know it.
  init(_ graph: Graph, isMovable: (Value) -> Bool) {
    let readers = graph.readers()
    // The outer concatenation of two comes later and is asked first.
    for node in graph.nodes.reversed() where node.operation is ConcatenateOperation {
      let result = node.outputs[0]
      guard graph.type(of: result).element == .float32 else { continue }
      let width = graph.type(of: result).rowByteCount
      let place = places[result] ?? Place(container: result, slot: ChannelSlot(bytes: 0..<width, pitchByteCount: width))
      var first = place.slot.bytes.lowerBound
      for value in node.inputs {
        let end = first + graph.type(of: value).rowByteCount
        defer { first = end }
        guard end > first, places[value] == nil, isMovable(value),
          node.inputs.count(where: { $0 == value }) == 1, Self.canBeStrided(value, readers[value.index], graph)
        else { continue }
        var slot = place.slot
        slot.bytes = first..<end
        places[value] = Place(container: place.container, slot: slot)
      }
    }
    for node in graph.nodes {
      guard let operation = node.operation as? ChannelSlice else { continue }
      let (input, value) = (node.inputs[0], node.outputs[0])
      let type = graph.type(of: input)
      guard type.element == .float32, type.shape.count > 0, !operation.channels.isEmpty, places[value] == nil,
        isMovable(value), readers[value.index].allSatisfy({ Self.readsStrided($0, graph) })
      else { continue }
      let whole = ChannelSlot(bytes: 0..<type.rowByteCount, pitchByteCount: type.rowByteCount)
      var place = places[input] ?? Place(container: input, slot: whole)
      let first = place.slot.bytes.lowerBound + operation.channels.lowerBound * type.element.byteCount
      place.slot.bytes = first..<first + graph.type(of: value).rowByteCount
      places[value] = place
    }
  }

  private static func canBeStrided(_ value: Value, _ readers: [(node: Int, operand: Int)], _ graph: Graph) -> Bool {
    guard case .node(let index, output: 0) = graph.source(of: value),
      let writer = graph.nodes[index].operation as? any StridedKernel, writer.writesStrided
    else { return false }
    return readers.allSatisfy { readsStrided($0, graph) }
  }

  private static func readsStrided(_ reader: (node: Int, operand: Int), _ graph: Graph) -> Bool {
    (graph.nodes[reader.node].operation as? any StridedKernel)?.readsStrided(reader.operand) == true
  }
}
