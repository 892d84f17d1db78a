import TesseraGraph
import Testing

private func variableNames(_ layer: some Layer, _ example: Shape, mode: ModelMode = .inference) throws -> [String] {
  try layer.graph(batch: 2, mode: mode, inputShape: example).variables.map(\.variable.name)
}

@Suite struct NameTests {
  /// Reports find every layer that computes something, in either mode.
  @Test func layersWithNodesAreListed() throws {
    let model = Sequential([Conv2D(2, kernelSize: 3), BatchNorm2D(), ReLU(), Dropout(0.5), Flatten(), Dense(3)])
    for mode in [ModelMode.training, .inference] {
      let builder = ModelBuilder(mode: mode)
      let input = try builder.input(of: model, inputShape: [8, 8, 1], batch: 2)
      _ = try model.build(input, in: builder)
      #expect(
        builder.layerNames.filter { $0 != "dropout" } == ["conv2d", "batch_norm2d", "relu", "flatten", "dense"])
      #expect(builder.layerNames.contains("dropout") == (mode == .training))
    }
  }

  @Test func parametersAreNamedAfterTheirLayers() throws {
    let model = Sequential {
      Conv2D(2, kernelSize: 3)
      BatchNorm2D()
      ConvTranspose2D(2, kernelSize: 3)
      Conv2D(2, kernelSize: 1, useBias: false)
      Flatten()
      Dense(3, name: "head")
    }
    let expected = [
      "conv2d.weight", "conv2d.bias", "batch_norm2d.weight", "batch_norm2d.bias", "batch_norm2d.running_mean",
      "batch_norm2d.running_var", "conv_transpose2d.weight", "conv_transpose2d.bias", "conv2d_1.weight", "head.weight",
      "head.bias",
    ]
    for mode in [ModelMode.inference, .training] {
      #expect(try variableNames(model, [8, 8, 1], mode: mode) == expected)
    }
    let graph = try model.graph(batch: 2, inputShape: [8, 8, 1])
    let shapes = graph.variables.map(\.variable.type.shape.dimensions)
    #expect(
      shapes == [
        [3, 3, 1, 2], [2], [2], [2], [2], [2], [3, 3, 2, 2], [2], [1, 1, 2, 2], [128, 3], [3],
      ])
    #expect(
      graph.variables.filter { !$0.variable.isTrainable }.map(\.variable.name) == [
        "batch_norm2d.running_mean", "batch_norm2d.running_var",
      ])
  }

  /// Automatic names count layers of one kind among siblings.
  @Test func levels() throws {
    let model = Sequential {
      Dense(4)
      Residual { Dense(4) }
      Residual {
        Dense(4)
        Dense(4)
      }
      Sequential(name: "tail") { Dense(4) }
      Sequential { Dense(4) }
    }
    let weights = try variableNames(model, [4]).filter { $0.hasSuffix("weight") }
    #expect(
      weights == [
        "dense.weight", "residual.dense.weight", "residual_1.dense.weight", "residual_1.dense_1.weight",
        "tail.dense.weight", "dense_1.weight",
      ])
  }

  @Test func nodesAreNamedAfterTheirLayersAndStayUnique() throws {
    let model = Sequential {
      Dense(4, activation: .relu)
      Shared("twice", Dense(4))
      Shared("twice", Dense(4))
    }
    let graph = try model.graph(batch: 2, inputShape: [4])
    #expect(graph.nodes.map(\.name) == ["dense", "dense.activation", "twice.dense", "twice.dense#2"])
  }

  @Test func namesGivenTwice() {
    for mode in [ModelMode.inference, .training] {
      expectError(.duplicateName, at: "a", expected: "a name for each layer", found: "two layers") {
        _ = try variableNames(
          Sequential {
            Dense(4, name: "a")
            ReLU(name: "a")
          }, [4], mode: mode)
      }
      expectError(.duplicateName, at: "block.a") {
        _ = try variableNames(
          Sequential(name: "block") {
            Dropout(0.5, name: "a")
            Dense(4, name: "a")
          }, [4], mode: mode)
      }
    }
    // The same name at two places is none given twice.
    #expect(throws: Never.self) {
      try variableNames(
        Sequential {
          Sequential(name: "x") { Dense(4, name: "a") }
          Sequential(name: "y") { Dense(4, name: "a") }
        }, [4])
    }
  }
}

@Suite struct SharedTests {
  @Test func oneVariableForAllUses() throws {
    let block = Sequential {
      Dense(4)
      Dense(4, activation: .tanh)
    }
    let model = Sequential {
      Shared("block", block)
      ReLU()
      Shared("block", block)
      Sequential(name: "inner") { Shared("block", Dense(4)) }
    }
    #expect(
      try variableNames(model, [4]) == [
        "block.dense.weight", "block.dense.bias", "block.dense_1.weight", "block.dense_1.bias",
        "inner.block.dense.weight", "inner.block.dense.bias",
      ])
  }

  /// Layers around a shared one keep counting.
  @Test func siblingsKeepTheirNames() throws {
    let model = Sequential {
      Dense(4)
      Shared("shared", Dense(4))
      Dense(4)
      Shared("shared", Dense(4))
      Dense(4)
    }
    let weights = try variableNames(model, [4]).filter { $0.hasSuffix("weight") }
    #expect(weights == ["dense.weight", "shared.dense.weight", "dense_1.weight", "dense_2.weight"])
  }

  @Test func sharedInsideShared() throws {
    let inner = Shared("inner", Dense(4))
    let outer = Shared(
      "outer",
      Sequential {
        inner
        inner
        Dense(4)
      })
    let weights = try variableNames(Sequential([outer, outer]), [4]).filter { $0.hasSuffix("weight") }
    #expect(weights == ["outer.inner.dense.weight", "outer.dense.weight"])
  }

  @Test func namesGivenTwiceInsideAreErrorsStill() {
    let block = Shared(
      "block",
      Sequential {
        Dense(4, name: "a")
        Dense(4, name: "a")
      })
    expectError(.duplicateName, at: "block.a") { _ = try variableNames(block, [4]) }
    expectError(.duplicateName, at: "a") {
      _ = try variableNames(
        Sequential {
          Dense(4, name: "a")
          Shared("a", Dense(4))
        }, [4])
    }
  }

  @Test func usesOfDifferentShapes() {
    expectError(.duplicateName, at: "variable block.dense.weight", expected: "the same type", found: "float32[3, 3]") {
      _ = try variableNames(
        Sequential {
          Shared("block", Dense(3))
          Shared("block", Dense(3))
        }, [4])
    }
  }

  /// The gradient of a shared weight is the sum of those of its uses.
  @Test func gradientsAreSummed() throws {
    let model = Sequential {
      Shared("block", Dense(3))
      Shared("block", Dense(3))
    }
    let graph = try TrainingGraph.build(
      model: model, inputShape: [3], batch: 2, loss: .meanSquaredError(), optimizer: .sgd())
    #expect(graph.variables.map(\.variable.name) == ["block.dense.weight", "block.dense.bias", "step"])
    for (weight, gradient) in [("weight", "db"), ("bias", "dbias")] {
      let update = try #require(graph.update(ofVariableNamed: "block.dense.\(weight)").flatMap(graph.producer(of:)))
      let sum = try #require(graph.producer(of: update.inputs[1]))
      #expect(sum.operation is Add)
      // In the reverse order of the nodes.
      #expect(sum.inputs.map { graph.name(of: $0) } == ["block.dense#2.\(gradient)", "block.dense.\(gradient)"])
    }
  }

  /// A shared normalization moves its statistics twice, the second time from where the first left them.
  @Test func runningStatisticsMoveInOrder() throws {
    let norm = Shared("norm", BatchNorm2D(momentum: 0.25))
    let graph = try Sequential([norm, ReLU(), norm]).graph(batch: 2, mode: .training, inputShape: [2, 3])
    #expect(graph.updates.count == 2)
    for (name, factor, output) in [("running_mean", 1.0, 1), ("running_var", 4.0 / 3, 2)] {
      let full = "norm.batch_norm2d.\(name)"
      let variable = try #require(graph.value(ofVariableNamed: full))
      let last = graph.latestValue(ofVariable: variable)
      #expect(last == graph.update(ofVariableNamed: full))
      let second = try #require(graph.producer(of: last))
      let first = try #require(graph.producer(of: second.inputs[0]))
      #expect(second.operation as? MovingAverage == MovingAverage(momentum: 0.25, factor: factor))
      #expect(first.inputs[0] == variable)
      let batches = [first, second].map { graph.name(of: $0.inputs[1]) }
      #expect(batches == ["norm.batch_norm2d:\(output)", "norm.batch_norm2d#2:\(output)"])
    }
    let input = try #require(graph.inputs.first).value
    #expect(graph.latestValue(ofVariable: input) == input)
    #expect(try Sequential([norm, norm]).graph(batch: 2, inputShape: [2, 3]).updates.isEmpty)
  }
}
