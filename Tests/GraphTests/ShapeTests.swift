import TesseraGraph
import Testing

@Suite struct ShapeTests {
  @Test func ranksUpToEight() throws {
    try Shape.scalar.validate(at: "here")
    try Shape(Array(repeating: 2, count: 8)).validate(at: "here")
    expectError(.invalidShape, at: "here", expected: "0 to 8", found: "9") {
      try Shape(Array(repeating: 1, count: 9)).validate(at: "here")
    }
  }

  @Test func sizesOfZeroAreShapesAndNegativeOnesAreNot() throws {
    let empty: Shape = [3, 0, 5]
    try empty.validate(at: "here")
    #expect(empty.count == 0)
    expectError(.invalidShape, at: "here", expected: "0 or more", found: "[3, -1]") {
      try Shape([3, -1]).validate(at: "here")
    }
    expectError(.invalidShape, at: "here") { try Shape([Int.min]).validate(at: "here") }
  }

  @Test(arguments: [[Int.max], [Int.max / 16 + 1], [1 << 32, 1 << 32], [0, Int.max, 2], [1 << 31, 2, 1 << 31]])
  func productsThatOverflow(_ dimensions: [Int]) {
    expectError(.invalidShape, at: "here", expected: "at most \(Int.max / 16) elements", found: "[") {
      try Shape(dimensions).validate(at: "here")
    }
  }

  @Test func theLargestShape() throws {
    let shape: Shape = [Int.max / 16]
    try shape.validate(at: "here")
    #expect(shape.count == Int.max / 16)
  }

  @Test func countsAndText() {
    #expect(Shape.scalar.count == 1)
    #expect(Shape.scalar.description == "[]")
    let shape: Shape = [2, 3, 4]
    #expect((shape.rank, shape.count, shape[2]) == (3, 24, 4))
    #expect(TensorType(shape, .float64).byteCount == 192)
    #expect(TensorType(shape, .int32).description == "int32[2, 3, 4]")
  }
}
