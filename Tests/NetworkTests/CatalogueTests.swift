import Tessera
import TesseraNetworks
import Testing

@Suite struct CatalogueTests {
  /// Trainable parameters, as they are published: torchvision's documentation, and LeCun et al. (1998) with all maps
  /// connected.
  static let parameterCounts = [
    "lenet5": 61_706, "squeezenet1_0": 1_248_424, "squeezenet1_1": 1_235_496, "mobilenet_v2": 3_504_872,
    "densenet121": 7_978_856, "resnet18": 11_689_512, "resnet34": 21_797_672, "resnet50": 25_557_032,
    "alexnet": 61_100_840, "vgg16": 138_357_544,
  ]

  @Test(arguments: parameterCounts.keys.sorted()) func parameterCountsAreThePublishedOnes(_ name: String) throws {
    let graph = try NetworkCatalogue.network(named: name).model.graph(batch: 1)
    let count = graph.variables.map(\.variable).filter(\.isTrainable).reduce(0) { $0 + $1.type.shape.count }
    #expect(count == Self.parameterCounts[name])
  }

  /// Shapes in both modes; a program for either compiles.
  @Test(arguments: NetworkCatalogue.all.map(\.name)) func everyNetworkCompiles(_ name: String) throws {
    let network = try NetworkCatalogue.network(named: name)
    for batch in [1, 3] {
      let graph = try network.model.graph(batch: batch)
      let shape = graph.shape(of: try #require(graph.outputs.first).value)
      #expect(shape.dimensions.first == batch)
      #expect(shape.dimensions.last == network.classes)
      #expect(
        shape.rank == 2
          || Array(shape.dimensions.dropFirst().dropLast()) == Array(network.inputShape.dimensions.dropLast()))
      _ = try Program(graph)
      _ = try Program(
        TrainingGraph.build(
          model: network.model, batch: batch, loss: .softmaxCrossEntropy(), optimizer: .sgd(momentum: 0.9)))
    }
  }

  @Test func classesAreFree() throws {
    for network in [
      Network.resNet18(classes: 7), .resNet34(classes: 7), .resNet50(classes: 7), .mobileNetV2(classes: 7),
      .vgg16(classes: 7), .alexNet(classes: 7), .squeezeNet1_0(classes: 7), .squeezeNet1_1(classes: 7),
      .denseNet121(classes: 7), .uNet(classes: 7),
    ] {
      let graph = try network.model.graph(batch: 2)
      #expect(graph.shape(of: try #require(graph.outputs.first).value).dimensions.last == 7, "\(network.name)")
      #expect(network.classes == 7)
    }
  }

  /// Networks that end in dense layers take images of the sizes that their grids divide only; the others take any.
  @Test func imageSizes() throws {
    _ = try Network.resNet18().model.graph(batch: 1, inputShape: [65, 97, 3])
    _ = try Network.vgg16().model.graph(batch: 1, inputShape: [448, 224, 3])
    do throws(TesseraError) {
      _ = try Network.vgg16().model.graph(batch: 1, inputShape: [256, 256, 3])
      Issue.record("a 7 x 7 grid doesn't divide 8 x 8")
    } catch {
      #expect(error.code == .unsupported)
      #expect(error.description.contains("(7, 7)") && error.description.contains("[1, 8, 8, 512]"), "\(error)")
    }
  }
}
