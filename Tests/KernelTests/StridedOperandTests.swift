import TesseraKernels
import Testing

/// Operands and results that are channels of wider rows: the same bits as dense ones, and nothing between the rows is read
/// or written.
@Suite struct StridedOperandTests {
  /// Channels in front of the operand's, and behind it.
  private static let surroundings = [(0, 1), (3, 0), (16, 32), (5, 7)]

  /// Dense rows among others, which are NaN.
  private static func widened(_ dense: [Float], channels: Int, _ before: Int, _ after: Int) -> GuardedBuffer<Float> {
    let pitch = before + channels + after
    let wide = GuardedBuffer<Float>.poisoned(dense.count / channels * pitch)
    for (index, value) in dense.enumerated() {
      wide.pointer[index / channels * pitch + before + index % channels] = value
    }
    return wide
  }

  /// Geometries whose pixels the algorithms reach in different ways: one long row, boxes of rows, the phases of a stride,
  /// tiles that hang over the edge, channelwise.
  private static let geometries = [
    ConvolutionGeometry(n: 2, h: 9, w: 9, c: 37, k: 70, r: 1, s: 1),
    ConvolutionGeometry(n: 2, h: 9, w: 11, c: 19, k: 33, r: 3, s: 3, padTop: 1, padLeft: 1, padBottom: 1, padRight: 1),
    ConvolutionGeometry(n: 1, h: 12, w: 10, c: 16, k: 32, r: 2, s: 2, strideY: 2, strideX: 2),
    ConvolutionGeometry(n: 2, h: 7, w: 7, c: 8, k: 8, r: 3, s: 3, padTop: 1, padLeft: 1, groups: 8),
    ConvolutionGeometry(n: 2, h: 6, w: 5, c: 12, k: 18, r: 3, s: 2, padTop: 1, groups: 3),
  ]

  @Test(arguments: KernelCatalogue.supported, Numerics.allCases)
  func convolutions(_ set: InstructionSet, numerics: Numerics) throws {
    let kernels = try kernels(of: set)
    var strided = 0
    for (g, pass) in Self.geometries.flatMap({ g in [ConvolutionPass.forward, .backwardData].map { (g, $0) } }) {
      let dense = kernels.plan(pass, g, ConvolutionSettings(caches: .typical, numerics: numerics))
      guard let plan = dense as? any StridedConvolution else { continue }
      strided += 1
      let isForward = pass == .forward
      let (inputChannels, outputChannels) = isForward ? (g.c, g.k) : (g.k, g.c)
      let input = random(isForward ? g.xCount : g.yCount, seed: 1)
      let weights = GuardedBuffer(random(g.weightCount, seed: 2))
      let bias = GuardedBuffer(random(outputChannels, seed: 3))
      let expected = GuardedBuffer<Float>.poisoned(isForward ? g.yCount : g.xCount)
      run(dense, GuardedBuffer(input), weights, bias, expected, offsets: (0, 0))
      for (before, after) in Self.surroundings {
        let wide = Self.widened(input, channels: inputChannels, before, after)
        let pitch = before + outputChannels + after
        let marker: Float = 12345
        let result = GuardedBuffer<Float>(repeating: marker, count: expected.count / outputChannels * pitch)
        run(
          plan.strided(inputPitch: before + inputChannels + after, outputPitch: pitch), wide, weights, bias, result,
          offsets: (before, before))
        let what = "\(dense.name) \(g) between \(before) and \(after) channels"
        let channels = result.values.enumerated().filter { before..<before + outputChannels ~= $0.offset % pitch }
        expectSame(channels.map(\.element), expected.values, what)
        let others = result.values.enumerated().filter { !(before..<before + outputChannels ~= $0.offset % pitch) }
        #expect(others.allSatisfy { $0.element == marker }, "\(what): neighbours were written")
      }
    }
    #expect(strided >= 6)
  }

  private func run(
    _ plan: any PlannedConvolution, _ input: GuardedBuffer<Float>, _ weights: GuardedBuffer<Float>,
    _ bias: GuardedBuffer<Float>, _ output: GuardedBuffer<Float>, offsets: (input: Int, output: Int)
  ) {
    let scratch = GuardedBuffer<Float>.poisoned(max(plan.scratchCount, plan.packScratchCount))
    let packed = GuardedBuffer<Float>.poisoned(plan.packedCount)
    plan.pack(
      tasks: 0..<plan.packTaskCount, weights: weights.pointer, packed: packed.pointer, scratch: scratch.pointer)
    plan.run(
      tasks: 0..<plan.taskCount,
      ConvolutionOperands(
        input: input.pointer + offsets.input, packed: packed.pointer, bias: bias.pointer, activation: .relu,
        output: output.pointer + offsets.output), scratch: scratch.pointer)
  }

  @Test(arguments: KernelCatalogue.supported)
  func normalizations(_ set: InstructionSet) throws {
    let kernels = try kernels(of: set)
    for channels in counts(set) {
      let rows = 70
      let elements = rows * channels
      let values = random(rows * channels, seed: 4, 9, 12)
      let (x, dy) = (GuardedBuffer(values), GuardedBuffer(random(rows * channels, seed: 5)))
      let (mean, scale) = (GuardedBuffer(random(channels, seed: 6, 10, 11)), GuardedBuffer(random(channels, seed: 7)))
      let variance = GuardedBuffer(random(channels, seed: 8, 0.5, 2))
      func results(_ x: UnsafePointer<Float>, pitch: Int) -> [[Float]] {
        let (moments, sums) = (
          GuardedBuffer<Float>.poisoned(2 * channels), GuardedBuffer<Float>.poisoned(2 * channels)
        )
        let (y, dx) = (GuardedBuffer<Float>.poisoned(elements), GuardedBuffer<Float>.poisoned(elements))
        kernels.channelMoments(rows: rows, channels: channels, x: x, xPitch: pitch, moments: moments.pointer)
        kernels.normalize(
          rows: rows, channels: channels, x: x, xPitch: pitch, mean: mean.pointer, variance: variance.pointer,
          scale: scale.pointer, shift: mean.pointer, epsilon: 1e-5, y: y.pointer, streams: false)
        kernels.normalizationGradientSums(
          rows: rows, channels: channels, x: x, xPitch: pitch, dy: dy.pointer, mean: mean.pointer,
          variance: variance.pointer, epsilon: 1e-5, sums: sums.pointer)
        kernels.normalizeBackward(
          rows: rows, totalRows: rows, channels: channels, x: x, xPitch: pitch, dy: dy.pointer, mean: mean.pointer,
          variance: variance.pointer, scale: scale.pointer, dscale: mean.pointer, dshift: scale.pointer, epsilon: 1e-5,
          dx: dx.pointer, streams: false)
        return [moments.values, y.values, sums.values, dx.values]
      }
      let expected = results(x.pointer, pitch: channels)
      for (before, after) in Self.surroundings {
        let wide = Self.widened(values, channels: channels, before, after)
        let found = results(wide.pointer + before, pitch: before + channels + after)
        for (found, expected) in zip(found, expected) {
          expectSame(found, expected, "\(set) \(channels) channels between \(before) and \(after)")
        }
      }
    }
  }

  @Test(arguments: KernelCatalogue.supported)
  func pooling(_ set: InstructionSet) throws {
    let kernels = try kernels(of: set)
    for g in PoolingTests.geometries(set) {
      let values = random(g.n * g.h * g.w * g.c, seed: 9)
      let count = g.n * g.p * g.q * g.c
      func results(_ g: PoolingGeometry, _ x: UnsafePointer<Float>) -> (y: [[Float]], mask: [Int32]) {
        let (maxima, means) = (GuardedBuffer<Float>.poisoned(count), GuardedBuffer<Float>.poisoned(count))
        let mask = GuardedBuffer<Int32>(repeating: -1, count: count)
        kernels.maxPool(g, rows: 0..<g.n * g.p, x: x, y: maxima.pointer, mask: mask.pointer, streams: false)
        kernels.averagePool(g, countPadding: false, rows: 0..<g.n * g.p, x: x, y: means.pointer, streams: false)
        return ([maxima.values, means.values], mask.values)
      }
      let dense = GuardedBuffer(values)
      let expected = results(g, dense.pointer)
      for (before, after) in Self.surroundings {
        let wide = Self.widened(values, channels: g.c, before, after)
        var geometry = g
        geometry.xPitch = before + g.c + after
        let found = results(geometry, wide.pointer + before)
        for (found, expected) in zip(found.y, expected.y) { expectSame(found, expected, "\(set) \(geometry)") }
        #expect(found.mask == expected.mask, "\(set) \(geometry)")
      }
    }
  }
}
