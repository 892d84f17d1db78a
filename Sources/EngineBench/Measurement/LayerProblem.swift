import Foundation
import Tessera
import TesseraKernels

private let byteOrderMarkAndSpace = CharacterSet.whitespaces.union(["\u{FEFF}"])

/// One convolution to be measured: a row of a CSV file.
struct LayerProblem {
  let name: String
  let geometry: ConvolutionGeometry
  let window: ResolvedWindow2D

  static let columns = [
    "name", "n", "c", "h", "w", "k", "r", "s", "stride", "pad", "dil", "groups",
  ]

  /// The layers of a file, or the default ones.
  /// - Throws: ``TesseraError/Code/invalidFile`` that names file and line.
  static func read(_ path: String?) throws(TesseraError) -> [LayerProblem] {
    guard let path else { return try parse(defaults, source: "default layers") }
    let data: Data
    do {
      data = try Data(contentsOf: URL(fileURLWithPath: path))
    } catch {
      throw TesseraError(.invalidFile, at: path, expected: "a readable file", found: error.localizedDescription)
    }
    return try parse(String(decoding: data, as: UTF8.self), source: path)
  }

  /// Reads rows below a header line that names the columns, in any order.
  /// - Throws: ``TesseraError/Code/invalidFile`` that names file and line.
  static func parse(_ text: String, source: String) throws(TesseraError) -> [LayerProblem] {
    var positions: [String: Int]?
    var problems: [LayerProblem] = []
    let lines = text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
    for (index, line) in lines.enumerated() {
      if line.allSatisfy(\.isWhitespace) { continue }
      let location = "\(source):\(index + 1)"
      let cells = line.split(separator: ",", omittingEmptySubsequences: false)
        .map { $0.trimmingCharacters(in: byteOrderMarkAndSpace) }
      if let positions {
        problems.append(try LayerProblem(cells, positions, at: location))
      } else {
        positions = try header(cells, at: location)
      }
    }
    guard positions != nil else {
      throw TesseraError(
        .invalidFile, at: source, expected: "the columns \(columns.joined(separator: ","))",
        found: "an empty file")
    }
    guard !problems.isEmpty else {
      throw TesseraError(
        .invalidFile, at: source, expected: "at least one layer below the header", found: "none")
    }
    return problems
  }

  private static func header(_ cells: [String], at location: String) throws(TesseraError)
    -> [String: Int]
  {
    var positions: [String: Int] = [:]
    for (position, cell) in cells.enumerated() { positions[cell.lowercased()] = position }
    let missing = columns.filter { positions[$0] == nil }
    guard missing.isEmpty else {
      throw TesseraError(
        .invalidFile, at: location, expected: "the columns \(columns.joined(separator: ","))",
        found: "no \(missing.joined(separator: ", "))")
    }
    return positions
  }

  /// A convolution of a compiled program.
  init(name: String, _ g: ConvolutionGeometry) {
    self.name = name
    geometry = g
    window = ResolvedWindow2D(
      kernel: Size2D(y: g.r, x: g.s), stride: Size2D(y: g.strideY, x: g.strideX),
      dilation: Size2D(y: g.dilationY, x: g.dilationX), top: g.padTop, left: g.padLeft, bottom: g.padBottom,
      right: g.padRight)
  }

  /// The same of another number of images.
  func batch(_ n: Int) -> LayerProblem {
    var geometry = geometry
    geometry.n = n
    return LayerProblem(name: name, geometry)
  }

  /// The convolutions of a network's training step, each size and pass once, under the name of the first layer of that size.
  static func convolutions(
    of source: NetworkSource, batch: Int, passes: [ConvolutionPass], options: Program.Options
  ) throws(TesseraError) -> [(layer: LayerProblem, pass: ConvolutionPass)] {
    let program = try Program(source.network.graph(batch: batch, mode: .training), options: options)
    struct Key: Hashable { let geometry: ConvolutionGeometry, pass: ConvolutionPass }
    var seen: Set<Key> = []
    var names: [ConvolutionGeometry: String] = [:]
    var all: [(layer: LayerProblem, pass: ConvolutionPass)] = []
    // The forward pass comes first.
    for chosen in program.convolutions {
      let (geometry, pass) = (chosen.convolution.geometry, chosen.convolution.pass)
      let name = names[geometry] ?? chosen.node
      names[geometry] = name
      guard passes.contains(pass), seen.insert(Key(geometry: geometry, pass: pass)).inserted else {
        continue
      }
      all.append((LayerProblem(name: name, geometry), pass))
    }
    return all
  }

  private init(_ cells: [String], _ positions: [String: Int], at location: String)
    throws(TesseraError)
  {
    func text(_ column: String) throws(TesseraError) -> String {
      guard let position = positions[column], cells.indices.contains(position) else {
        throw TesseraError(
          .invalidFile, at: location, expected: "\(positions.count) columns",
          found: "\(cells.count)")
      }
      return cells[position]
    }
    func number(_ column: String, from least: Int) throws(TesseraError) -> Int {
      let cell = try text(column)
      guard let number = Int(cell), number >= least, number <= 1 << 24 else {
        throw TesseraError(
          .invalidFile, at: "\(location), column \(column)",
          expected: "a number from \(least) to \(1 << 24)", found: "\"\(cell)\"")
      }
      return number
    }
    guard cells.count <= positions.count else {
      throw TesseraError(
        .invalidFile, at: location, expected: "\(positions.count) columns", found: "\(cells.count)")
    }
    let (n, c, h, w) = (
      try number("n", from: 1), try number("c", from: 1), try number("h", from: 1),
      try number("w", from: 1)
    )
    let (k, r, s) = (try number("k", from: 1), try number("r", from: 1), try number("s", from: 1))
    let (stride, pad) = (try number("stride", from: 1), try number("pad", from: 0))
    let (dilation, groups) = (try number("dil", from: 1), try number("groups", from: 1))
    guard c % groups == 0, k % groups == 0 else {
      throw TesseraError(
        .invalidFile, at: location, expected: "c and k that groups divides",
        found: "c \(c), k \(k), groups \(groups)")
    }
    name = try text("name")
    window = ResolvedWindow2D(
      kernel: Size2D(y: r, x: s), stride: Size2D(stride), dilation: Size2D(dilation), top: pad,
      left: pad, bottom: pad, right: pad)
    let output: Size2D
    do throws(TesseraError) {
      output = try window.outputSize(height: h, width: w, at: location)
      for shape in [[n, h, w, c], [r, s, c / groups, k], [n, output.y, output.x, k]] as [Shape] {
        try shape.validate(at: location)
        // More than 4 GiB a tensor no such benchmark means, and a machine may not have: its memory is taken without asking.
        guard shape.count <= 1 << 30 else {
          throw TesseraError(
            .invalidShape, at: location, expected: "at most 2^30 elements", found: "\(shape)")
        }
      }
    } catch {
      throw TesseraError(
        .invalidFile, at: location, expected: error.expected, found: error.found)
    }
    geometry = ConvolutionGeometry(
      n: n, h: h, w: w, c: c, k: k, r: r, s: s, strideY: stride, strideX: stride, dilationY: dilation,
      dilationX: dilation, padTop: pad, padLeft: pad,
      padBottom: pad, padRight: pad, groups: groups)
  }

  /// What `layers` measures without a file: layers of well-known networks.
  static let defaults = """
    name,n,c,h,w,k,r,s,stride,pad,dil,groups
    resnet50.conv1,16,3,224,224,64,7,7,2,3,1,1
    resnet50.2a.3x3,16,64,56,56,64,3,3,1,1,1,1
    resnet50.2a.expand,16,64,56,56,256,1,1,1,0,1,1
    resnet50.2b.reduce,16,256,56,56,64,1,1,1,0,1,1
    resnet50.3.3x3,16,128,28,28,128,3,3,1,1,1,1
    resnet50.3.3x3s2,16,128,56,56,128,3,3,2,1,1,1
    resnet50.4.3x3,16,256,14,14,256,3,3,1,1,1,1
    resnet50.5.3x3,16,512,7,7,512,3,3,1,1,1,1
    vgg16.conv1_2,4,64,224,224,64,3,3,1,1,1,1
    mnist.conv1,64,1,28,28,64,3,3,1,0,1,1
    mobilenet.dw144,16,144,56,56,144,3,3,1,1,1,144
    """
}
