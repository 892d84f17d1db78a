import TesseraKernels
import Testing

/// Results that go past the caches are the same bits, whether they begin at an aligned address or not, and nothing behind
/// them is written.
@Suite struct StreamedResultsTests {
  /// Runs a kernel both ways on a result that ends at a forbidden page.
  private func expectSameBits(
    _ count: Int, _ what: String, _ run: (UnsafeMutablePointer<Float>, _ streams: Bool) -> Void
  ) {
    for side in [GuardedBuffer<Float>.Side.start, .end] {
      let (plain, streamed) = (
        GuardedBuffer<Float>(repeating: .nan, count: count, guardedAt: side),
        GuardedBuffer<Float>(repeating: .nan, count: count, guardedAt: side)
      )
      run(plain.pointer, false)
      run(streamed.pointer, true)
      let isSame = zip(plain.values, streamed.values).allSatisfy { $0.bitPattern == $1.bitPattern }
      #expect(isSame && !plain.values.contains { $0.isNaN }, "\(what), at the page's \(side)")
    }
  }

  @Test(arguments: KernelCatalogue.supported)
  func elementwise(_ set: InstructionSet) throws {
    let kernels = try kernels(of: set)
    for count in counts(set) + [32, 64, 1024, 1031] {
      let (a, b) = (GuardedBuffer(random(count, seed: 1)), GuardedBuffer(random(count, seed: 2)))
      for activation in ActivationTests.all {
        expectSameBits(count, "\(activation) \(set) \(count)") {
          kernels.activate(activation, count: count, x: a.pointer, y: $0, streams: $1)
        }
        expectSameBits(count, "\(activation) backward \(set) \(count)") {
          kernels.activateBackward(activation, count: count, dy: a.pointer, y: b.pointer, dz: $0, streams: $1)
        }
      }
      expectSameBits(count, "add \(set) \(count)") {
        kernels.add(count: count, a: a.pointer, b: b.pointer, y: $0, streams: $1)
      }
      expectSameBits(count, "scaledDifference \(set) \(count)") {
        kernels.scaledDifference(count: count, factor: 0.5, a: a.pointer, b: b.pointer, y: $0, streams: $1)
      }
      for first in [0, 32, 5] {
        expectSameBits(count, "dropout \(set) \(count) from \(first)") {
          kernels.dropout(
            first: first, count: count, probability: 0.4, key: DropoutKey(seed: 1, stream: 2), step: 3, x: a.pointer,
            y: $0, streams: $1)
        }
      }
      for rows in [1, 3] {
        let (dy, y) = (GuardedBuffer(random(rows * count, seed: 3)), GuardedBuffer(random(rows * count, seed: 4, 0, 1)))
        let labels = (0..<rows).map { Int32($0 * 5 % count) }
        expectSameBits(rows * count, "softmaxBackward \(set) \(count)") {
          kernels.softmaxBackward(
            rows: rows, classes: count, dy: dy.pointer, y: y.pointer, dx: $0, streams: $1)
        }
        expectSameBits(rows * count, "softmaxCrossEntropyBackward \(set) \(count)") {
          kernels.softmaxCrossEntropyBackward(
            rows: rows, classes: count, probabilities: y.pointer, labels: labels, factor: 0.3, dx: $0, streams: $1)
        }
      }
    }
  }

  @Test(arguments: KernelCatalogue.supported)
  func channels(_ set: InstructionSet) throws {
    let kernels = try kernels(of: set)
    let lanes = set.floatLanes
    for channels in [3, lanes, 2 * lanes, 4 * lanes, 5 * lanes, 9 * lanes, 4 * lanes + 1] {
      let rows = 7
      let (x, dy) = (GuardedBuffer(random(rows * channels, seed: 1)), GuardedBuffer(random(rows * channels, seed: 2)))
      let (mean, scale) = (GuardedBuffer(random(channels, seed: 3)), GuardedBuffer(random(channels, seed: 4)))
      let variance = GuardedBuffer(random(channels, seed: 5, 0.5, 2))
      let what = "\(set) \(channels) channels"
      expectSameBits(rows * channels, "normalize \(what)") {
        kernels.normalize(
          rows: rows, channels: channels, x: x.pointer, xPitch: channels, mean: mean.pointer,
          variance: variance.pointer,
          scale: scale.pointer, shift: mean.pointer, epsilon: 1e-5, y: $0, streams: $1)
      }
      expectSameBits(rows * channels, "normalizeBackward \(what)") {
        kernels.normalizeBackward(
          rows: rows, totalRows: rows, channels: channels, x: x.pointer, xPitch: channels, dy: dy.pointer,
          mean: mean.pointer,
          variance: variance.pointer, scale: scale.pointer, dscale: mean.pointer, dshift: scale.pointer, epsilon: 1e-5,
          dx: $0, streams: $1)
      }
      expectSameBits(rows * channels, "normalizeBackwardFrozen \(what)") {
        kernels.normalizeBackwardFrozen(
          rows: rows, channels: channels, dy: dy.pointer, variance: variance.pointer, scale: scale.pointer,
          epsilon: 1e-5, dx: $0, streams: $1)
      }
      let g = PoolingGeometry(
        n: 2, h: 5, w: 7, c: channels, p: 3, q: 4, r: 3, s: 3, strideY: 2, strideX: 2, padTop: 1, padLeft: 1,
        padBottom: 1, padRight: 1)
      let outputs = g.n * g.p * g.q * channels
      let image = GuardedBuffer(random(g.n * g.h * g.w * channels, seed: 6))
      let delta = GuardedBuffer(random(outputs, seed: 7))
      let mask = GuardedBuffer<Int32>(repeating: -1, count: outputs, guardedAt: .start)
      let streamedMask = GuardedBuffer<Int32>(repeating: -1, count: outputs, guardedAt: .start)
      expectSameBits(outputs, "maxPool \(what)") {
        kernels.maxPool(
          g, rows: 0..<g.n * g.p, x: image.pointer, y: $0, mask: ($1 ? streamedMask : mask).pointer, streams: $1)
      }
      #expect(mask.values == streamedMask.values, "mask of maxPool \(what)")
      expectSameBits(image.count, "maxPoolBackward \(what)") {
        kernels.maxPoolBackward(
          g, rows: 0..<g.n * g.h, dy: delta.pointer, mask: mask.pointer, dx: $0, streams: $1)
      }
      for countPadding in [false, true] {
        expectSameBits(outputs, "averagePool \(what)") {
          kernels.averagePool(
            g, countPadding: countPadding, rows: 0..<g.n * g.p, x: image.pointer, y: $0, streams: $1)
        }
        expectSameBits(image.count, "averagePoolBackward \(what)") {
          kernels.averagePoolBackward(
            g, countPadding: countPadding, rows: 0..<g.n * g.h, dy: delta.pointer, dx: $0, streams: $1)
        }
      }
    }
  }
}
