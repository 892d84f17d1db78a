import TesseraKernels
import TesseraVerification
import Testing

@Suite struct MatrixProductTests {
  @Test(arguments: KernelCatalogue.supported)
  func products(_ set: InstructionSet) throws {
    let kernels = try kernels(of: set)
    var random = PhiloxGenerator(seed: 11)
    for round in 0..<(isShort ? 20 : 160) {
      let g = MatrixProductGeometry(
        m: random.one(of: [1, 2, 5, 6, 7, 11, 12, 13, 24, 50]), n: random.one(of: [1, 3, 4, 10, 16, 17, 32, 65, 120]),
        k: random.one(of: [1, 2, 5, 16, 33, 84, 700]), transposeA: round & 1 == 1, transposeB: round & 2 == 2)
      let (a, b, bias) = (random.buffer(g.m * g.k), random.buffer(g.k * g.n), random.buffer(g.n))
      let expected = BoundedSums(count: g.m * g.n) { operand, c in
        Reference.matrixProduct(g, a: operand(a), b: operand(b), bias: operand(bias), activation: .identity, c: &c)
      }
      for level2 in [24 << 10, 512 << 10] {
        let plan = kernels.matrixProductPlan(
          g, caches: CacheSizes(level1Bytes: 32 << 10, level2Bytes: level2, level3Bytes: 8 << 20))
        let c = convolve(plan, input: a, weights: b, bias: bias, count: g.m * g.n)
        expectClose(c, expected, "\(plan.name) of \(g)")
      }
    }
  }
}
