import CTesseraShims
import TesseraKernelContract

/// Where the elements of the weights, or of a matrix b, lie before they are packed.
///
/// Element (group, tap, d, o), output channel o of depth d, is at
/// group groupStride + (rotated ? taps - 1 - tap : tap) tapStride + d depthStride + o filterStride;
/// one of the last two strides is 1.
struct WeightLayout: Sendable {
  var rotated = false
  var groupStride = 0
  var tapStride = 0
  var depthStride: Int
  var filterStride: Int
}

extension WeightLayout {
  /// One tap's weights of some depths and output channels, in rows of whole vectors: target[d width + o], zeros behind
  /// `valid`.
  @inline(__always)
  func copyPanel(
    _ weights: UnsafePointer<Float>, group: Int, tap: Int, taps: Int, firstDepth: Int, depth: Int, firstFilter: Int,
    valid: Int, _ target: UnsafeMutablePointer<Float>
  ) {
    let source =
      weights
      + (group &* groupStride &+ (rotated ? taps &- 1 &- tap : tap) &* tapStride &+ firstDepth &* depthStride
        &+ firstFilter &* filterStride)
    if filterStride == 1 {
      copyRows(source, step: depthStride, target, rows: depth, valid: valid)
    } else {
      transposePanel(source, step: filterStride, target, depth: depth, valid: valid)
    }
  }
}

/// Brings weights into the order in which register tiles read them: [groups][block][tap][depth][width], where the last
/// block of a group is as many vectors wide as it needs, its tail padded with zeros.
struct WeightPacking: Sendable {
  let groups: Int, taps: Int, depth: Int, filters: Int
  /// Output channels of a block, whole vectors.
  let width: Int
  let layout: WeightLayout
  /// Groups of the layout that are one here, with zeros where an output channel and a depth belong to different ones.
  var joinedGroups = 1

  /// Depth that one unit of packing covers, which bounds the work of a task where a window has few taps.
  private var unitDepth: Int { min(depth, 512) }
  private var depthUnits: Int { ceilingQuotient(depth, unitDepth) }
  private var units: Int { groups * blocks * taps * depthUnits }
  /// About 128 KiB of packed weights a task.
  private var unitsPerTask: Int { max(1, (32 << 10) / (unitDepth * width)) }

  var blocks: Int { ceilingQuotient(filters, width) }
  /// Floats of one group.
  var groupPacked: Int { taps * depth * ceilingQuotient(filters, lanes) * lanes }
  var packedCount: Int { groups * groupPacked }
  var taskCount: Int { ceilingQuotient(units, unitsPerTask) }

  func pack(task: Int, weights: UnsafePointer<Float>, packed: UnsafeMutablePointer<Float>) {
    let first = task &* unitsPerTask
    for unit in first..<min(first &+ unitsPerTask, units) {
      var rest = unit
      let depthUnit = rest % depthUnits
      rest /= depthUnits
      let tap = rest % taps
      rest /= taps
      let firstFilter = rest % blocks &* width
      let group = rest / blocks

      let valid = min(width, filters &- firstFilter)
      let blockWidth = (valid &+ lanes &- 1) / lanes &* lanes
      let firstDepth = depthUnit &* unitDepth
      let unitDepth = min(unitDepth, depth &- firstDepth)
      let target =
        packed
        + (group &* groupPacked &+ firstFilter &* taps &* depth &+ tap &* depth &* blockWidth
          &+ firstDepth &* blockWidth)
      if joinedGroups > 1 {
        packJoined(weights, group: group, tap: tap, depths: firstDepth..<firstDepth &+ unitDepth, target)
      } else {
        layout.copyPanel(
          weights, group: group, tap: tap, taps: taps, firstDepth: firstDepth, depth: unitDepth,
          firstFilter: firstFilter, valid: valid, target)
      }
    }
  }

  /// The same for joined groups, all of whose output channels fit one block: few weights, element by element.
  private func packJoined(
    _ weights: UnsafePointer<Float>, group: Int, tap: Int, depths: Range<Int>, _ target: UnsafeMutablePointer<Float>
  ) {
    let (groupDepth, groupFilters) = (depth / joinedGroups, filters / joinedGroups)
    let blockWidth = ceilingQuotient(filters, lanes) &* lanes
    for i in 0..<depths.count &* blockWidth { target[i] = 0 }
    for d in depths {
      let part = d / groupDepth
      let source =
        weights
        + ((group &* joinedGroups &+ part) &* layout.groupStride
          &+ (layout.rotated ? taps &- 1 &- tap : tap) &* layout.tapStride &+ d % groupDepth &* layout.depthStride)
      let row = target + ((d &- depths.lowerBound) &* blockWidth &+ part &* groupFilters)
      for o in 0..<groupFilters { row[o] = source[o &* layout.filterStride] }
    }
  }
}

extension WeightPacking {
  init(correlation c: Correlation, layout: WeightLayout) {
    self.init(
      groups: c.groups, taps: c.taps, depth: c.depth, filters: c.filters, width: c.width, layout: layout,
      joinedGroups: c.joinedGroups)
  }
}

/// target[d width + o] = source[o step + d], o < valid, zeros for the others up to whole vectors: squares of a vector's
/// width, in registers.
func transposePanel(
  _ source: UnsafePointer<Float>, step: Int, _ target: UnsafeMutablePointer<Float>, depth: Int, valid: Int
) {
  let width = (valid &+ lanes &- 1) / lanes &* lanes
  var o = 0
  while o < width {
    let rows = min(lanes, valid &- o)
    var d = 0
    while d < depth {
      let columns = min(lanes, depth &- d)
      let corner = source + (o &* step &+ d)
      var square = VectorSquare { _ in .zero }
      if rows == lanes, columns == lanes {
        for i in 0..<lanes {
          square[unchecked: i] = load(corner + i &* step)
          // The lines behind are read next, too far from each other for the hardware to foresee.
          tessera_prefetch(corner + (i &* step &+ lanes))
        }
      } else {
        for i in 0..<rows { square[unchecked: i] = loadFirst(columns, corner + i &* step) }
      }
      transpose(&square)
      let out = target + (d &* width &+ o)
      if columns == lanes {
        for i in 0..<lanes { store(square[unchecked: i], out + i &* width) }
      } else {
        for i in 0..<columns { store(square[unchecked: i], out + i &* width) }
      }
      d &+= lanes
    }
    o &+= lanes
  }
}

/// Rows become columns. Parting a row of numbers into its even and its odd ones moves the lowest bit of their position to
/// the top; done as often as a lane's number has bits, it exchanges the numbers of lanes and vectors.
@inline(__always)
func transpose(_ square: inout VectorSquare) {
  var distance = lanes
  while distance > 1 {
    var parted = VectorSquare { _ in .zero }
    for i in 0..<lanes / 2 {
      let pair = VectorPair(lowHalf: square[unchecked: 2 &* i], highHalf: square[unchecked: 2 &* i &+ 1])
      parted[unchecked: i] = pair.evenHalf
      parted[unchecked: i &+ lanes / 2] = pair.oddHalf
    }
    square = parted
    distance /= 2
  }
}

/// Copies rows of `valid` floats that are `step` apart into rows of whole vectors, padded with zeros.
func copyRows(
  _ source: UnsafePointer<Float>, step: Int, _ target: UnsafeMutablePointer<Float>, rows: Int,
  valid: Int
) {
  var from = source
  var to = target
  for _ in 0..<rows {
    var done = 0
    while done &+ lanes <= valid {
      store(load(from + done), to + done)
      done &+= lanes
    }
    if done < valid {
      store(loadFirst(valid &- done, from + done), to + done)
      done &+= lanes
    }
    from += step
    to += done
  }
}
