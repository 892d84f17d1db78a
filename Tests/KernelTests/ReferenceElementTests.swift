import TesseraKernels
import Testing

/// The reference of single elements and that of whole tensors are written from the two ends of the same sum.
@Suite struct ReferenceElementTests {
  static let geometries = [
    ConvolutionGeometry(n: 2, h: 5, w: 7, c: 3, k: 4, r: 3, s: 2, padTop: 1, padLeft: 2, padRight: 1),
    ConvolutionGeometry(n: 1, h: 9, w: 6, c: 6, k: 4, r: 2, s: 3, strideY: 3, strideX: 2, dilationX: 2, groups: 2),
    ConvolutionGeometry(n: 3, h: 4, w: 4, c: 5, k: 5, r: 3, s: 3, strideY: 2, padTop: 3, padBottom: 2, groups: 5),
    ConvolutionGeometry(n: 1, h: 3, w: 8, c: 2, k: 3, r: 1, s: 1, strideX: 5),
  ]

  @Test(arguments: geometries) func elementsAreThoseOfTheTensors(geometry g: ConvolutionGeometry) {
    var random = PhiloxGenerator(seed: 4)
    func normals(_ count: Int) -> [Float] { (0..<count).map { _ in Float(random.normal()) } }
    let (x, w, bias, dy) = (normals(g.xCount), normals(g.weightCount), normals(g.k), normals(g.yCount))
    func doubles(_ floats: [Float]) -> [Double] { floats.map(Double.init) }

    var y = [Double](repeating: .nan, count: g.yCount)
    Reference.convolutionForward(g, x: doubles(x), w: doubles(w), bias: doubles(bias), activation: .identity, y: &y)
    for (index, expected) in y.enumerated() {
      let element = Reference.convolutionForwardElement(g, index, x: x, w: w, bias: bias)
      #expect(abs(element - expected) < 1e-12)
    }

    var dx = [Double](repeating: .nan, count: g.xCount)
    Reference.convolutionBackwardData(g, dy: doubles(dy), w: doubles(w), bias: nil, activation: .identity, dx: &dx)
    for (index, expected) in dx.enumerated() {
      #expect(abs(Reference.convolutionBackwardDataElement(g, index, dy: dy, w: w) - expected) < 1e-12)
    }

    var dw = [Double](repeating: .nan, count: g.weightCount)
    Reference.convolutionBackwardWeights(g, x: doubles(x), dy: doubles(dy), dw: &dw)
    for (index, expected) in dw.enumerated() {
      #expect(abs(Reference.convolutionBackwardWeightsElement(g, index, x: x, dy: dy) - expected) < 1e-12)
    }
  }
}
