import TesseraKernelContract
import Testing

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

func exponential(_ x: Double) -> Double { exp(x) }

@Suite struct MatrixTests {
  @Test(arguments: 0..<subjects.count)
  func products(subject: Int) {
    let kernels = subjects[subject].kernels
    var random = Generator(state: 11)
    for round in 0..<160 {
      let g = MatrixProductGeometry(
        m: random.one(of: [1, 2, 5, 6, 7, 11, 12, 13, 24, 50]), n: random.one(of: [1, 3, 4, 10, 16, 17, 32, 65, 120]),
        k: random.one(of: [1, 2, 5, 16, 33, 84, 700]), transposeA: round & 1 == 1, transposeB: round & 2 == 2)
      let (a, b, bias) = operands(g.m * g.k, g.k * g.n, g.n, &random)
      var expected = Reference.product(g, a: a, b: b)
      for i in expected.indices { expected[i].add(Double(bias.pointer[i % g.n])) }
      for level2 in [24 << 10, 512 << 10] {
        let plan = kernels.matrixProductPlan(
          g, caches: CacheSizes(level1Bytes: 32 << 10, level2Bytes: level2, level3Bytes: 8 << 20))
        let packed = GuardedBuffer(plan.packedCount)
        expectIndependentTasks(plan.packTaskCount, result: packed, plan.name) {
          kernels.packMatrix(plan, tasks: $0, b: b.pointer, packed: packed.pointer)
        }
        let c = GuardedBuffer(g.m * g.n)
        expectIndependentTasks(plan.taskCount, result: c, plan.name) {
          kernels.multiply(
            plan, tasks: $0, a: a.pointer, packed: packed.pointer, bias: bias.pointer, activation: .identity,
            c: c.pointer, scratch: GuardedBuffer(plan.scratchCount).pointer)
        }
        expectClose(c, expected, "\(plan.name) of \(g)")
      }
    }
  }
}
