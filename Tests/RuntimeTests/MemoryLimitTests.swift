import Tessera
import Testing

/// More than the machine has is an error of the run or of the compilation, never a crash.
@Suite struct MemoryLimitTests {
  private let model = Sequential {
    Conv2D(8, kernelSize: 3, padding: .half, activation: .relu, inputShape: [8, 8, 4])
    Flatten()
    Dense(4)
  }

  private func expectNoMemory(_ body: () throws -> Void) {
    let error = #expect(throws: TesseraError.self) { try body() }
    #expect(error?.code == .systemFailure || error?.code == .invalidShape, "\(String(describing: error))")
  }

  /// A run with inputs that are nowhere: they are never touched, since its own memory is missed first.
  private func run(_ session: Session) throws {
    let nowhere = UnsafeMutableRawPointer.allocate(byteCount: 64, alignment: 64)
    defer { nowhere.deallocate() }
    try session.run { (call) throws(TesseraError) in
      for input in session.program.inputs {
        try call.setInput(input.name, UnsafeRawBufferPointer(start: nowhere, count: input.type.byteCount))
      }
    }
  }

  /// 2^38 images, whose 2^50 bytes no machine has; 2^50, of which a few values are more than an address can tell.
  @Test(arguments: [1 << 38, 1 << 50]) func batches(_ batch: Int) {
    expectNoMemory {
      let session = try Session(Program(model.graph(batch: batch)), store: ParameterStore(), workers: 1)
      try run(session)
    }
    expectNoMemory {
      let trainer = try Trainer(
        model: model, batch: batch, loss: .softmaxCrossEntropy(), optimizer: .sgd(), store: ParameterStore(), workers: 1
      )
      try run(trainer.session)
    }
  }

  @Test func parameters() {
    let wide = Sequential { Dense(1 << 25, inputShape: [1 << 25], name: "wide") }
    let store = ParameterStore()
    expectNoMemory { _ = try Session(Program(wide.graph(batch: 1)), store: store, workers: 1) }
    #expect(store.names == [])
  }

  @Test func padding() {
    expectNoMemory {
      let padded = Conv2D(2, kernelSize: 3, padding: .explicit(1 << 24), inputShape: [4, 4, 2])
      let session = try Session(Program(padded.graph(batch: 1)), store: ParameterStore(), workers: 1)
      try run(session)
    }
  }

  /// Memory of the host that no element can begin at.
  @Test func addresses() throws {
    var graph = Graph()
    let x = try graph.addInput("x", TensorType([2]))
    try graph.addOutput("y", graph.apply(Affine(factor: 2), x, name: "double"))
    let session = try Session(Program(graph), store: ParameterStore(), workers: 1)
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 32, alignment: 16)
    defer { memory.deallocate() }
    memory.initializeMemory(as: UInt8.self, repeating: 0)
    func run(_ inputOffset: Int, _ outputOffset: Int) throws {
      try session.run { (call) throws(TesseraError) in
        try call.setInput("x", UnsafeRawBufferPointer(rebasing: memory[inputOffset..<inputOffset + 8]))
        try call.setOutput("y", UnsafeMutableRawBufferPointer(rebasing: memory[outputOffset..<outputOffset + 8]))
      }
    }
    try run(4, 16)
    for (input, output, location) in [(1, 16, "input x"), (4, 18, "output y")] {
      let error = #expect(throws: TesseraError.self) { try run(input, output) }
      #expect(error?.code == .invalidData && error?.location == location)
    }
  }
}
