package import TesseraKernels

/// Convolutions to try every algorithm on.
package enum GeneratedGeometries {
  /// Geometries from small primes and the neighbours of tile sizes, so that every remainder occurs.
  package static func random(count: Int, seed: UInt64, maximumFlops: Double) -> [ConvolutionGeometry] {
    var random = PhiloxGenerator(seed: seed)
    var result: [ConvolutionGeometry] = []
    while result.count < count {
      let groups = random.one(of: [1, 1, 1, 1, 2, 3, 5, 17, 33])
      let isDepthwise = groups > 3
      var g = ConvolutionGeometry(
        n: random.integer(1...5), h: random.integer(1...17), w: random.one(of: [1, 2, 3, 7, 12, 13, 14, 23, 29]),
        c: groups * (isDepthwise ? random.one(of: [1, 1, 2]) : random.one(of: [1, 2, 3, 4, 7, 16, 31, 67])),
        k: groups
          * (isDepthwise ? random.one(of: [1, 1, 1, 3]) : random.one(of: [1, 3, 8, 15, 16, 17, 33, 48, 64, 67])),
        r: random.integer(1...5), s: random.one(of: [1, 2, 3, 3, 5, 7]),
        strideY: random.integer(1...3), strideX: random.integer(1...4), dilationY: random.integer(1...3),
        dilationX: random.one(of: [1, 1, 2, 3, 4]), groups: groups)
      if random.integer(0...2) > 0 {
        (g.padTop, g.padLeft) = (random.integer(0...3), random.integer(0...4))
        (g.padBottom, g.padRight) = (random.integer(0...3), random.integer(0...9))
      }
      let rows = g.h + g.padTop + g.padBottom - (g.r - 1) * g.dilationY
      let columns = g.w + g.padLeft + g.padRight - (g.s - 1) * g.dilationX
      guard rows > 0, columns > 0, g.flops < maximumFlops else { continue }
      result.append(g)
    }
    return result
  }

  /// What the pixel-block algorithm serves: few channels in windows, strides, dilations and paddings of all kinds.
  package static func pixelBlock(_ kernels: any KernelSet.Type, count: Int, maximumFlops: Double)
    -> [ConvolutionGeometry]
  {
    var random = PhiloxGenerator(seed: 77)
    var result: [ConvolutionGeometry] = []
    while result.count < count {
      var g = ConvolutionGeometry(
        n: random.integer(0...4), h: random.integer(1...19), w: random.one(of: [1, 2, 3, 5, 8, 13, 16, 21, 33]),
        c: random.integer(1...8), k: random.one(of: [1, 2, 3, 7, 16, 17, 33, 64]), r: random.integer(1...7),
        s: random.integer(1...7), strideY: random.integer(1...4), strideX: random.integer(1...4),
        dilationY: random.one(of: [1, 1, 2, 3]), dilationX: random.one(of: [1, 1, 2, 3]))
      let mostPadding = random.one(of: [0, 1, 3, 10])
      (g.padTop, g.padLeft) = (random.integer(0...mostPadding), random.integer(0...mostPadding))
      (g.padBottom, g.padRight) = (random.integer(0...mostPadding), random.integer(0...mostPadding))
      let rows = g.h + g.padTop + g.padBottom - (g.r - 1) * g.dilationY
      let columns = g.w + g.padLeft + g.padRight - (g.s - 1) * g.dilationX
      guard rows > 0, columns > 0, g.flops < maximumFlops,
        kernels.refusal(.pixelBlock, .backwardData, g, numerics: .exact) == nil
      else { continue }
      result.append(g)
    }
    return result
  }

  /// Narrow groups, depthwise ones among them, with square windows.
  package static func narrowGroups(count: Int) -> [ConvolutionGeometry] {
    var random = PhiloxGenerator(seed: 77)
    var result: [ConvolutionGeometry] = []
    while result.count < count {
      let width = random.one(of: [1, 1, 1, 2, 4, 8])
      let channels =
        width == 1 ? random.one(of: [4, 5, 8, 9, 15, 16, 17, 24, 31, 33, 48, 67]) : width * random.integer(1...9)
      let (window, stride) = (width == 1 ? random.one(of: [3, 5, 7]) : 3, random.integer(1...2))
      var g = ConvolutionGeometry(
        n: random.integer(0...3), h: random.integer(1...17), w: random.integer(1...31), c: channels, k: channels,
        r: window, s: window, strideY: stride, strideX: stride, groups: channels / width)
      (g.padTop, g.padLeft) = (random.integer(0...window), random.integer(0...window))
      (g.padBottom, g.padRight) = (random.integer(0...window), random.integer(0...window))
      if g.h + g.padTop + g.padBottom >= window, g.w + g.padLeft + g.padRight >= window { result.append(g) }
    }
    return result
  }

  /// Shapes that networks have, and corners that chance seldom meets.
  package static let chosen = [
    ConvolutionGeometry(n: 2, h: 14, w: 14, c: 64, k: 64, r: 3, s: 3, padTop: 1, padLeft: 1, padBottom: 1, padRight: 1),
    ConvolutionGeometry(
      n: 1, h: 32, w: 31, c: 3, k: 64, r: 7, s: 7, strideY: 2, strideX: 2, padTop: 3, padLeft: 3, padBottom: 3,
      padRight: 3),
    ConvolutionGeometry(n: 5, h: 28, w: 28, c: 1, k: 6, r: 5, s: 5, padTop: 2, padLeft: 2, padBottom: 2, padRight: 2),
    ConvolutionGeometry(n: 5, h: 5, w: 5, c: 16, k: 120, r: 5, s: 5),
    ConvolutionGeometry(n: 2, h: 9, w: 9, c: 37, k: 70, r: 1, s: 1),
    ConvolutionGeometry(n: 2, h: 9, w: 9, c: 37, k: 70, r: 1, s: 1, strideY: 2, strideX: 2),
    ConvolutionGeometry(n: 1, h: 3, w: 3, c: 700, k: 33, r: 3, s: 3, padTop: 1, padLeft: 1, padBottom: 1, padRight: 1),
    ConvolutionGeometry(n: 3, h: 1, w: 1, c: 5, k: 7, r: 1, s: 1),
    // Padding larger than the window: outputs without any tap inside.
    ConvolutionGeometry(n: 1, h: 2, w: 2, c: 3, k: 5, r: 2, s: 2, padTop: 5, padLeft: 6, padBottom: 4, padRight: 7),
    // Stride larger than the window: inputs that no window reaches.
    ConvolutionGeometry(n: 2, h: 11, w: 13, c: 4, k: 9, r: 2, s: 2, strideY: 5, strideX: 4),
    // Dilation and stride with a common divisor.
    ConvolutionGeometry(
      n: 2, h: 15, w: 19, c: 4, k: 9, r: 3, s: 3, strideY: 4, strideX: 6, dilationY: 2, dilationX: 4, padTop: 1,
      padLeft: 3),
    // A hole in the middle: no tap inside between two runs of outputs that have some.
    ConvolutionGeometry(
      n: 1, h: 1, w: 1, c: 2, k: 3, r: 2, s: 2, dilationY: 7, dilationX: 5, padTop: 9, padLeft: 8, padBottom: 9,
      padRight: 8),
    ConvolutionGeometry(
      n: 2, h: 12, w: 12, c: 45, k: 45, r: 3, s: 3, strideY: 2, strideX: 2, padTop: 1, padLeft: 1, padBottom: 1,
      padRight: 1, groups: 45),
  ]

  /// Windows of 3x3 or 5x5 and stride 1 in all channel and filter counts from 1 to 67, and 130: one and a half blocks of
  /// four vectors of 16 lanes. Images from a single pixel on, dilations and padding beyond their size, batches from none on.
  package static func winograd(
    window: Int, rounds: Int, seed: UInt64, maximumFlops: Double
  ) -> [ConvolutionGeometry] {
    let counts = Array(1...67) + [130]
    var random = PhiloxGenerator(seed: seed)
    var result: [ConvolutionGeometry] = []
    while result.count < rounds * counts.count {
      // 29 and the number of counts have no common divisor: each count is met as often as the others, in new pairs.
      let round = result.count / counts.count
      var g = ConvolutionGeometry(
        n: random.integer(0...5), h: random.one(of: [1, 2, 3, 4, 5, 6, 7, 9, 11, 13, 15, 17, 23]),
        w: random.one(of: [1, 2, 3, 4, 5, 6, 7, 9, 11, 13, 15, 19, 29]), c: counts[result.count % counts.count],
        k: counts[(result.count * 29 + round * 7) % counts.count], r: window, s: window,
        dilationY: random.one(of: [1, 1, 2, 3, 4]),
        dilationX: random.one(of: [1, 1, 2, 3, 4]))
      let mostPadding = random.one(of: [0, 1, 2, 4, 9])
      (g.padTop, g.padLeft) = (random.integer(0...mostPadding), random.integer(0...mostPadding))
      (g.padBottom, g.padRight) = (random.integer(0...mostPadding), random.integer(0...mostPadding))
      let rows = g.h + g.padTop + g.padBottom - (window - 1) * g.dilationY
      let columns = g.w + g.padLeft + g.padRight - (window - 1) * g.dilationX
      guard rows > 0, columns > 0, g.flops < maximumFlops else { continue }
      result.append(g)
    }
    return result
  }
}

extension PhiloxGenerator {
  package mutating func integer(_ range: ClosedRange<Int>) -> Int {
    range.lowerBound + Int(nextWord()) % range.count
  }

  package mutating func one<Element>(of elements: [Element]) -> Element {
    elements[integer(0...elements.count - 1)]
  }
}
