import Tessera
import Testing

@Suite struct GatherTests {
  /// What a run is given is checked by the run.
  @Test(arguments: [-4, 3, Int64.max, Int64.min] as [Int64])
  func indicesOutsideAreAnError(_ index: Int64) throws {
    var graph = Graph()
    let x = try graph.addInput("x", TensorType([3, 2]))
    let indices = try graph.addInput("indices", TensorType([2], .int64))
    try graph.addOutput("y", try graph.apply(Gather(axis: 0), x, indices, name: "gather"))
    let session = try Session(Program(graph), store: ParameterStore(), workers: 1)
    let values = try Tensor([1, 2, 3, 4, 5, 6] as [Float], shape: [3, 2])
    let y = try session.run(["x": values, "indices": Tensor([-1, 0] as [Int64], shape: [2])])["y"]
    #expect(try y?.elements(as: Float.self) == [5, 6, 1, 2])
    #expect {
      try session.run(["x": values, "indices": Tensor([0, index], shape: [2])])
    } throws: { error in
      let error = error as? TesseraError
      return error?.code == .invalidData && error?.location == "gather"
    }
  }
}
