import Tessera
import Testing

@Suite struct ParameterGroupTests {
  private func trainer(_ optimizer: Optimizer, body: String, head: String, store: ParameterStore) throws -> Trainer {
    let model = Sequential {
      Dense(4, inputShape: [3], group: body, name: "body")
      Dense(2, group: head, name: "head")
    }
    return try Trainer(
      model: model, batch: 2, loss: .meanSquaredError(), optimizer: optimizer, store: store)
  }

  private func batch() throws -> (Tensor, Tensor) {
    (
      try Tensor([1, 2, 3, -1, 0.5, 2] as [Float], shape: [2, 3]), try Tensor([1, 0, 0, 1] as [Float], shape: [2, 2])
    )
  }

  private func values(_ store: ParameterStore, _ name: String) throws -> [Float] {
    try #require(store[name]).elements()
  }

  /// A group of rate 0 stays as it is; both ways to give the rates do the same.
  @Test func everyGroupLearnsAtItsRate() throws {
    let (input, target) = try batch()
    var weights: [[Float]] = []
    for isRaw in [false, true] {
      let store = ParameterStore(seed: 1)
      let trainer = try trainer(.sgd(), body: Variable.defaultGroup, head: "head", store: store)
      let (body, head) = (try values(store, "body.weight"), try values(store, "head.weight"))
      func step(_ rate: Float, _ rates: [String: Float]) throws {
        guard isRaw else {
          try trainer.step(input, target, learningRate: rate, learningRates: rates)
          return
        }
        try input.withUnsafeBytes { input in
          _ = try target.withUnsafeBytes { target in
            try trainer.step(input: input, target: target, learningRate: rate, learningRates: rates)
          }
        }
      }
      try step(0, ["head": 0.1])
      #expect(try values(store, "body.weight") == body && values(store, "head.weight") != head)
      let trained = try values(store, "head.weight")
      try step(0.1, ["head": 0])
      #expect(try values(store, "body.weight") != body && values(store, "head.weight") == trained)
      weights.append(try values(store, "body.weight") + trained)

      let missing = #expect(throws: TesseraError.self) { try step(0.1, [:]) }
      #expect(missing?.code == .notFound && missing?.description.contains("learning_rate.head") == true)
      let unknown = #expect(throws: TesseraError.self) { try step(0.1, ["head": 0.1, "heads": 0.1]) }
      #expect(unknown?.code == .notFound)
    }
    #expect(weights[0] == weights[1])
  }

  /// With gradients of 0 only the decay moves a weight: p (1 - rate decay).
  @Test func everyGroupDecaysByItsOwn() throws {
    let store = ParameterStore(seed: 1)
    let trainer = try trainer(
      .sgd(weightDecay: 0.5, groups: ["head": ParameterGroup(weightDecay: 0)]), body: "body", head: "head", store: store
    )
    let zeros = try Tensor([Float](repeating: 0, count: 6), shape: [2, 3])
    let target = try Tensor([Float](repeating: 0, count: 4), shape: [2, 2])
    let (body, head) = (try values(store, "body.weight"), try values(store, "head.weight"))
    // No weight is in the default group: its rate is given and not used.
    try trainer.step(zeros, target, learningRate: .nan, learningRates: ["body": 0.5, "head": 0.5])
    #expect(try values(store, "body.weight") == body.map { $0 - 0.5 * (0.5 * $0) })
    #expect(try values(store, "head.weight") == head)
  }

  @Test(arguments: [Float.nan, .infinity, -.infinity])
  func ratesThatAreNotFiniteWriteNothing(_ rate: Float) throws {
    let (input, target) = try batch()
    let store = ParameterStore(seed: 1)
    let trainer = try trainer(.adam(), body: Variable.defaultGroup, head: "head", store: store)
    func bytes() throws -> [String: [UInt8]] { try store.snapshot().mapValues { $0.withUnsafeBytes { Array($0) } } }
    let before = try bytes()
    for rates: (Float, Float) in [(rate, 0.1), (0.1, rate)] {
      let error = #expect(throws: TesseraError.self) {
        try trainer.step(input, target, learningRate: rates.0, learningRates: ["head": rates.1])
      }
      #expect(error?.code == .notFinite && error?.location.hasPrefix("learning_rate") == true)
      #expect(try bytes() == before)
    }
  }
}
