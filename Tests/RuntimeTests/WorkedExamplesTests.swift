import Tessera
import Testing

/// The worked examples of a lecture on convolution layers ("Programming of neural networks", 2020), number by number.
/// It numbers elements column by column: x0, x1, x2 are the first column of channel 0, x9 begins channel 1. Its
/// misprints, corrected here: the delta of x4 holds `dy3 f3` for `dy3 f0`; the weights of channel 2 of filter 1 are
/// printed as f0...f3 for f4...f7; and weight gradients are printed as dy/df for dL/df.
@Suite struct WorkedExamplesTests {
  /// Values of an image in the lecture's order to [1, H, W, C].
  private func image(_ values: [Double], _ size: Int, _ channels: Int) throws -> Tensor {
    var elements = [Double](repeating: 0, count: values.count)
    for c in 0..<channels {
      for x in 0..<size {
        for y in 0..<size {
          elements[(y * size + x) * channels + c] = values[c * size * size + x * size + y]
        }
      }
    }
    return try Tensor(elements, shape: [1, size, size, channels])
  }

  /// An image [1, H, W, C] to the lecture's order.
  private func lecture(_ tensor: Tensor?) throws -> [Double] {
    let tensor = try #require(tensor)
    let elements = try tensor.elements(as: Double.self)
    let (height, width, channels) = (tensor.shape[1], tensor.shape[2], tensor.shape[3])
    var values: [Double] = []
    for c in 0..<channels {
      for x in 0..<width {
        for y in 0..<height { values.append(elements[(y * width + x) * channels + c]) }
      }
    }
    return values
  }

  /// f[filter][0..<8] to [R, S, C, K]: four elements of channel 0 column by column, then four of channel 1.
  private func filters(_ f: [[Double]]) throws -> Tensor {
    var elements = [Double](repeating: 0, count: 16)
    for (k, filter) in f.enumerated() {
      for (index, value) in filter.enumerated() {
        let (c, s, r) = (index / 4, index % 4 / 2, index % 2)
        elements[((r * 2 + s) * 2 + c) * 2 + k] = value
      }
    }
    return try Tensor(elements, shape: [2, 2, 2, 2])
  }

  private let x = (0..<18).map { Double($0 * $0 % 11) - 4 }
  private let f = [[2.0, -1, 3, 5, -2, 4, 1, 7], [1.0, 6, -3, 2, 8, -5, 2, -4]]
  private let bias = [0.5, -1.5]
  private let dy = [1.0, -2, 3, 5, -4, 2, 7, -1]

  private func run() throws -> [String: Tensor] {
    var graph = Graph()
    let xValue = try graph.addInput("x", TensorType([1, 3, 3, 2], .float64))
    let wValue = try graph.addInput("w", TensorType([2, 2, 2, 2], .float64))
    let bValue = try graph.addInput("b", TensorType([2], .float64))
    let gValue = try graph.addInput("dy", TensorType([1, 2, 2, 2], .float64))
    let window = try Window2D(kernel: 2).resolve(height: 3, width: 3)
    let y = try graph.add(
      Convolution2D(window: window, groups: 1, activation: .identity), [xValue, wValue, bValue],
      name: "conv")[0]
    let loss = try graph.apply(
      SumAll(), try graph.apply(Multiply(), y, gValue, name: "product"), name: "loss")
    let gradients = try graph.differentiate(loss, withRespectTo: [xValue, wValue, bValue])
    try graph.addOutput("y", y)
    for (name, gradient) in zip(["dx", "dw", "db"], gradients) {
      try graph.addOutput(name, try #require(gradient))
    }
    return try Session(Program(graph), store: ParameterStore()).run([
      "x": image(x, 3, 2), "w": filters(f), "b": Tensor(bias, shape: [2]), "dy": image(dy, 2, 2),
    ])
  }

  @Test func forward() throws {
    let y = try lecture(run()["y"])
    // Where each output's window begins in a column-by-column 3x3 channel.
    for (output, first) in [0, 1, 3, 4].enumerated() {
      for filter in 0..<2 {
        var expected = bias[filter]
        for (element, offset) in [0, 1, 3, 4].enumerated() {
          expected += x[first + offset] * f[filter][element]
          expected += x[9 + first + offset] * f[filter][4 + element]
        }
        #expect(y[filter * 4 + output] == expected)
      }
    }
    // y0 as it is printed.
    let printed =
      x[0] * f[0][0] + x[3] * f[0][2] + x[1] * f[0][1] + x[4] * f[0][3] + x[9] * f[0][4]
      + x[12] * f[0][6] + x[10] * f[0][5] + x[13] * f[0][7] + bias[0]
    #expect(y[0] == printed)
  }

  @Test func deltasOfTheInput() throws {
    let dx = try lecture(run()["dx"])
    // Symbol by symbol for channel 0; channel 1 is the same with f4...f7. Pairs (delta, filter element).
    let terms: [[(Int, Int)]] = [
      [(0, 0)], [(0, 1), (1, 0)], [(1, 1)], [(0, 2), (2, 0)], [(0, 3), (1, 2), (2, 1), (3, 0)],
      [(1, 3), (3, 1)], [(2, 2)], [(2, 3), (3, 2)], [(3, 3)],
    ]
    for channel in 0..<2 {
      for (element, pairs) in terms.enumerated() {
        var expected = 0.0
        for (delta, weight) in pairs {
          expected += dy[delta] * f[0][4 * channel + weight]
          expected += dy[4 + delta] * f[1][4 * channel + weight]
        }
        #expect(dx[9 * channel + element] == expected)
      }
    }
  }

  @Test func gradientsOfTheWeights() throws {
    let results = try run()
    let dw = try #require(results["dw"]).elements(as: Double.self)
    // df_i = sum of dy_j x at these places, for channel 0; channel 1 adds 9.
    let places = [[0, 1, 3, 4], [1, 2, 4, 5], [3, 4, 6, 7], [4, 5, 7, 8]]
    for filter in 0..<2 {
      for channel in 0..<2 {
        for (element, places) in places.enumerated() {
          var expected = 0.0
          for (delta, place) in places.enumerated() {
            expected += dy[4 * filter + delta] * x[9 * channel + place]
          }
          let (s, r) = (element / 2, element % 2)
          #expect(dw[((r * 2 + s) * 2 + channel) * 2 + filter] == expected)
        }
      }
    }
    let db = try #require(results["db"]).elements(as: Double.self)
    #expect(db == [dy[0...3].reduce(0, +), dy[4...7].reduce(0, +)])
  }

  /// The convolution as a product with its Toeplitz matrix T: y = T x, dx = T^T dy.
  @Test func theToeplitzMatrixComputesTheSame() throws {
    var toeplitz = [Double](repeating: 0, count: 8 * 18)
    for filter in 0..<2 {
      for (output, first) in [0, 1, 3, 4].enumerated() {
        for channel in 0..<2 {
          for (element, offset) in [0, 1, 3, 4].enumerated() {
            toeplitz[(filter * 4 + output) * 18 + channel * 9 + first + offset] =
              f[filter][4 * channel + element]
          }
        }
      }
    }
    func product(_ operation: MatrixProduct, _ vector: [Double]) throws -> [Double] {
      var graph = Graph()
      let t = try graph.addInput("t", TensorType([8, 18], .float64))
      let v = try graph.addInput("v", TensorType([vector.count, 1], .float64))
      try graph.addOutput("y", try graph.apply(operation, t, v, name: "product"))
      let outputs = try Session(Program(graph), store: ParameterStore()).run([
        "t": Tensor(toeplitz, shape: [8, 18]), "v": Tensor(vector, shape: [vector.count, 1]),
      ])
      return try #require(outputs["y"]).elements(as: Double.self)
    }
    let results = try run()
    let y = try product(MatrixProduct(transposeA: false, transposeB: false, activation: .identity), x)
    #expect(zip(y, [0, 0, 0, 0, 1, 1, 1, 1]).map { $0 + bias[$1] } == (try lecture(results["y"])))
    let dx = try product(MatrixProduct(transposeA: true, transposeB: false, activation: .identity), dy)
    #expect(dx == (try lecture(results["dx"])))
  }

  @Test func maxPooling() throws {
    let six: [[Double]] = [
      [4, 1, 1, 3, 3, 4], [8, 6, 0, 5, 2, 2], [0, 6, 9, 5, 1, 8], [4, 8, 5, 7, 4, 2],
      [9, 8, 5, 9, 3, 0], [3, 6, 7, 4, 7, 5],
    ]
    #expect(try pool(six).y == [8, 5, 4, 8, 9, 8, 9, 9, 7])
    let four: [[Double]] = [[4, 1, 3, 3], [8, 6, 5, 2], [9, 8, 9, 3], [3, 6, 4, 7]]
    let result = try pool(four, dy: [[10, 30], [20, 40]])
    #expect(result.y == [8, 5, 9, 9])
    // Deltas dy0...dy3, numbered column by column, land on elements 1, 2, 9 and 10 column by column.
    #expect(result.dx == [0, 0, 0, 0, 10, 0, 30, 0, 20, 0, 40, 0, 0, 0, 0, 0])
    let places = result.dx.indices.filter { result.dx[$0] != 0 }.map { $0 % 4 * 4 + $0 / 4 }.sorted()
    #expect(places == [1, 2, 9, 10])
    // The mask counts inside each 2x2 window, row by row.
    #expect(result.mask == [2, 2, 0, 0])
  }

  private func pool(_ rows: [[Double]], dy: [[Double]]? = nil) throws -> (
    y: [Double], mask: [Int32], dx: [Double]
  ) {
    let size = rows.count
    var graph = Graph()
    let x = try graph.addInput("x", TensorType([1, size, size, 1], .float64))
    let window = try Window2D(kernel: 2, stride: 2).resolve(height: size, width: size)
    let outputs = try graph.add(MaxPool2DOperation(window: window), [x], name: "pool")
    try graph.addOutput("y", outputs[0])
    try graph.addOutput("mask", outputs[1])
    let g = try graph.addInput("dy", graph.type(of: outputs[0]))
    let product = try graph.apply(Multiply(), outputs[0], g, name: "product")
    let loss = try graph.apply(SumAll(), product, name: "loss")
    try graph.addOutput(
      "dx", try #require(try graph.differentiate(loss, withRespectTo: [x])[0]))
    let deltas = dy?.flatMap { $0 } ?? [Double](repeating: 0, count: size * size / 4)
    let results = try Session(Program(graph), store: ParameterStore()).run([
      "x": Tensor(rows.flatMap { $0 }, shape: [1, size, size, 1]),
      "dy": Tensor(deltas, shape: [1, size / 2, size / 2, 1]),
    ])
    return (
      try #require(results["y"]).elements(), try #require(results["mask"]).elements(),
      try #require(results["dx"]).elements()
    )
  }
}
