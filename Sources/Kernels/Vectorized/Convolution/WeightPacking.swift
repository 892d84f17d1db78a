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

/// Brings weights into the order in which a correlation reads them.
struct WeightPacking: Sendable {
  let correlation: Correlation
  let layout: WeightLayout

  /// Depth that one unit of packing covers, which bounds the work of a task where a window has few taps.
  private var unitDepth: Int { min(correlation.depth, 512) }
  private var depthUnits: Int { ceilingQuotient(correlation.depth, unitDepth) }
  private var units: Int { correlation.groups * correlation.blocks * correlation.taps * depthUnits }
  /// About 128 KiB of packed weights a task.
  private var unitsPerTask: Int { max(1, (32 << 10) / (unitDepth * correlation.width)) }

  var taskCount: Int { ceilingQuotient(units, unitsPerTask) }
  var packedCount: Int { correlation.groups * correlation.groupPacked }

  func pack(task: Int, weights: UnsafePointer<Float>, packed: UnsafeMutablePointer<Float>) {
    let c = correlation
    let first = task &* unitsPerTask
    for unit in first..<min(first &+ unitsPerTask, units) {
      var rest = unit
      let depthUnit = rest % depthUnits
      rest /= depthUnits
      let tap = rest % c.taps
      rest /= c.taps
      let firstFilter = rest % c.blocks &* c.width
      let group = rest / c.blocks

      let valid = min(c.width, c.filters &- firstFilter)
      let blockWidth = (valid &+ lanes &- 1) / lanes &* lanes
      let firstDepth = depthUnit &* unitDepth
      layout.copyPanel(
        weights, group: group, tap: tap, taps: c.taps, firstDepth: firstDepth,
        depth: min(unitDepth, c.depth &- firstDepth), firstFilter: firstFilter, valid: valid,
        packed
          + (group &* c.groupPacked &+ firstFilter &* c.taps &* c.depth &+ tap &* c.depth &* blockWidth
            &+ firstDepth &* blockWidth))
    }
  }
}

/// target[d width + o] = source[o step + d], o < valid, zeros for the others up to whole vectors; squares of 4 x 4 in
/// registers.
func transposePanel(
  _ source: UnsafePointer<Float>, step: Int, _ target: UnsafeMutablePointer<Float>, depth: Int, valid: Int
) {
  let width = (valid &+ lanes &- 1) / lanes &* lanes
  var o = 0
  while o < width {
    let isWhole = o &+ 4 <= valid
    var d = 0
    while isWhole, d &+ 4 <= depth {
      let corner = source + (o &* step &+ d)
      let square = SIMD16<Float>(
        lowHalf: SIMD8(lowHalf: load4(corner), highHalf: load4(corner + step)),
        highHalf: SIMD8(lowHalf: load4(corner + 2 &* step), highHalf: load4(corner + 3 &* step)))
      let (even, odd) = (square.evenHalf, square.oddHalf)
      let out = target + (d &* width &+ o)
      store4(even.evenHalf, out)
      store4(odd.evenHalf, out + width)
      store4(even.oddHalf, out + 2 &* width)
      store4(odd.oddHalf, out + 3 &* width)
      d &+= 4
    }
    while d < depth {
      for i in o..<o &+ 4 {
        target[d &* width &+ i] = i < valid ? source[i &* step &+ d] : 0
      }
      d &+= 1
    }
    o &+= 4
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

@inline(__always)
private func load4(_ source: UnsafePointer<Float>) -> SIMD4<Float> {
  UnsafeRawPointer(source).loadUnaligned(as: SIMD4<Float>.self)
}

@inline(__always)
private func store4(_ value: SIMD4<Float>, _ target: UnsafeMutablePointer<Float>) {
  UnsafeMutableRawPointer(target).storeBytes(of: value, as: SIMD4<Float>.self)
}
