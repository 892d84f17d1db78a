public import TesseraGraph
import TesseraKernels

#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

// The file of kernel choices: JSON with one choice a line, sorted, so that two files can be compared line by line.

extension KernelChoices {
  /// The layout of the file that this version writes and reads.
  static let schema = 1

  /// Reads a file.
  /// - Throws: ``TesseraError/Code/invalidFile`` that names file and place: it can't be read, isn't JSON, has another
  ///   schema, a value is missing or out of range, an algorithm is unknown or refuses its convolution, a convolution
  ///   appears twice.
  public init(contentsOf path: String) throws(TesseraError) {
    let data: Data
    do {
      data = try Data(contentsOf: URL(fileURLWithPath: path))
    } catch {
      throw TesseraError(
        .invalidFile, at: path, expected: "a readable file", found: "none", underlying: error)
    }
    try self.init(json: [UInt8](data), source: path)
  }

  /// Reads the text of a file; `source` names it in errors.
  /// - Throws: as ``init(contentsOf:)``.
  public init(json: [UInt8], source: String) throws(TesseraError) {
    do {
      let decoder = JSONDecoder()
      let header = try decoder.decode(Header.self, from: Data(json))
      guard header.schema == Self.schema else {
        throw Mistake("schema", expected: "\(Self.schema)", found: "\(header.schema)")
      }
      try self.init(try decoder.decode(Contents.self, from: Data(json)))
    } catch let mistake as Mistake {
      throw TesseraError(
        .invalidFile, at: "\(source), \(mistake.place)", expected: mistake.expected, found: mistake.found)
    } catch let error as DecodingError {
      throw TesseraError(error, source: source)
    } catch {
      throw TesseraError(.invalidFile, at: source, expected: "kernel choices in JSON", found: "\(error)")
    }
  }

  /// The text of the file.
  public var json: String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    // Numbers and strings can always be encoded.
    func text(_ value: some Encodable) -> String {
      (try? encoder.encode(value)).map { String(decoding: $0, as: UTF8.self) } ?? ""
    }
    let choices = sorted.map { "    " + text(Choice($0.convolution, $0.algorithm)) }
    return """
      {
        "schema": \(Self.schema),
        "version": \(text(PackageVersion.current)),
        "processor": \(text(processorName)),
        "caches": \(text(Caches(caches))),
        "choices": [\(choices.isEmpty ? "" : "\n" + choices.joined(separator: ",\n") + "\n  ")]
      }

      """
  }

  /// Writes a file: whole, under another name, which then becomes this one's.
  /// - Throws: ``TesseraError/Code/invalidFile`` if that can't be done; what was there before is still there.
  public func write(to path: String) throws(TesseraError) {
    func failure(_ expected: String, _ found: String) -> TesseraError {
      TesseraError(.invalidFile, at: path, expected: expected, found: found)
    }
    // Renaming would replace a device or a directory.
    var status = stat()
    if stat(path, &status) == 0, status.st_mode & S_IFMT != S_IFREG {
      throw failure("a file", "something else by that name")
    }
    do {
      try Data(json.utf8).write(to: URL(fileURLWithPath: path), options: .atomic)
    } catch {
      throw failure("a place that can be written to", "none")
    }
  }

  private init(_ contents: Contents) throws {
    func bytes(_ value: Int, _ name: String) throws -> Int {
      guard 1...1 << 40 ~= value else {
        throw Mistake("caches.\(name)", expected: "1 to \(1 << 40)", found: "\(value)")
      }
      return value
    }
    let caches = contents.caches
    self.init(
      caches: CacheSizes(
        level1Bytes: try bytes(caches.level1, "level1"), level2Bytes: try bytes(caches.level2, "level2"),
        level3Bytes: try bytes(caches.level3, "level3")))
    processorName = contents.processor
    for (index, choice) in contents.choices.enumerated() {
      let place = "choices[\(index)]"
      let (convolution, algorithm) = try choice.checked(at: place)
      guard self[convolution] == nil else {
        throw Mistake(place, expected: "each convolution once", found: "one that was chosen for before")
      }
      self[convolution] = algorithm
    }
  }
}

/// What is wrong in a file, and where.
private struct Mistake: Error {
  let place: String, expected: String, found: String

  init(_ place: String, expected: String, found: String) {
    (self.place, self.expected, self.found) = (place, expected, found)
  }
}

extension TesseraError {
  fileprivate init(_ error: DecodingError, source: String) {
    func at(_ context: DecodingError.Context, _ last: (any CodingKey)? = nil) -> String {
      var place = ""
      for key in context.codingPath + (last.map { [$0] } ?? []) {
        place += key.intValue.map { "[\($0)]" } ?? (place.isEmpty ? "" : ".") + key.stringValue
      }
      return place.isEmpty ? source : "\(source), \(place)"
    }
    switch error {
    case .keyNotFound(let key, let context):
      self.init(.invalidFile, at: at(context, key), expected: "a value", found: "none")
    case .typeMismatch(let type, let context), .valueNotFound(let type, let context):
      self.init(.invalidFile, at: at(context), expected: "a value of type \(type)", found: "another")
    case .dataCorrupted(let context):
      self.init(.invalidFile, at: at(context), expected: "kernel choices in JSON", found: context.debugDescription)
    @unknown default:
      self.init(.invalidFile, at: source, expected: "kernel choices in JSON", found: "something else")
    }
  }
}

// MARK: What the file holds

private struct Header: Decodable {
  @WholeNumber var schema: Int
}

private struct Contents: Decodable {
  let processor: String
  let caches: Caches
  let choices: [Choice]
}

/// A number whose error names its place. Foundation says of one that isn't whole, or doesn't fit, that the whole file isn't
/// JSON, at times.
@propertyWrapper private struct WholeNumber: Codable {
  var wrappedValue: Int

  init(wrappedValue: Int) { self.wrappedValue = wrappedValue }

  init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    do {
      wrappedValue = try container.decode(Int.self)
    } catch DecodingError.typeMismatch(let type, let context) {
      throw DecodingError.typeMismatch(type, context)
    } catch DecodingError.valueNotFound(let type, let context) {
      throw DecodingError.valueNotFound(type, context)
    } catch {
      throw DecodingError.dataCorruptedError(in: container, debugDescription: "no whole number that fits")
    }
  }

  func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(wrappedValue)
  }
}

/// Bytes a core may count on.
private struct Caches: Codable {
  @WholeNumber var level1: Int
  @WholeNumber var level2: Int
  @WholeNumber var level3: Int

  init(_ caches: CacheSizes) {
    (level1, level2, level3) = (caches.level1Bytes, caches.level2Bytes, caches.level3Bytes)
  }
}

/// One line. Pads are top, left, bottom, right; other pairs are of rows and columns.
private struct Choice: Codable {
  let pass: String, numerics: String, isa: String, algorithm: String
  @WholeNumber var n: Int
  @WholeNumber var h: Int
  @WholeNumber var w: Int
  @WholeNumber var c: Int
  @WholeNumber var k: Int
  @WholeNumber var r: Int
  @WholeNumber var s: Int
  let stride: [WholeNumber], dilation: [WholeNumber], pad: [WholeNumber]
  @WholeNumber var groups: Int

  init(_ convolution: KernelChoices.Convolution, _ algorithm: ConvolutionAlgorithm) {
    let g = convolution.geometry
    (pass, numerics) = (convolution.pass.rawValue, convolution.numerics.rawValue)
    (isa, self.algorithm) = (convolution.instructionSet.name, algorithm.rawValue)
    (n, h, w, c, k, r, s, groups) = (g.n, g.h, g.w, g.c, g.k, g.r, g.s, g.groups)
    stride = [g.strideY, g.strideX].map(WholeNumber.init(wrappedValue:))
    dilation = [g.dilationY, g.dilationX].map(WholeNumber.init(wrappedValue:))
    pad = [g.padTop, g.padLeft, g.padBottom, g.padRight].map(WholeNumber.init(wrappedValue:))
  }

  func checked(at place: String) throws -> (KernelChoices.Convolution, ConvolutionAlgorithm) {
    func named<Value: RawRepresentable & CaseIterable>(_ text: String, _ name: String) throws -> Value
    where Value.RawValue == String {
      guard let value = Value(rawValue: text) else {
        throw Mistake(
          "\(place).\(name)", expected: "one of \(Value.allCases.map(\.rawValue).joined(separator: ", "))",
          found: "\"\(text)\"")
      }
      return value
    }
    guard let instructionSet = KernelCatalogue.instructionSet(named: isa) else {
      throw Mistake(
        "\(place).isa", expected: "one of \(InstructionSet.all.map(\.name).joined(separator: ", "))",
        found: "\"\(isa)\"")
    }
    let convolution = KernelChoices.Convolution(
      pass: try named(pass, "pass"), geometry: try geometry(at: place), numerics: try named(numerics, "numerics"),
      instructionSet: instructionSet)
    let algorithm: ConvolutionAlgorithm = try named(algorithm, "algorithm")
    // Kernels of other sets can't be asked: the answer, too, is compiled for them.
    if KernelCatalogue.supported.contains(instructionSet),
      let kernels = KernelCatalogue.kernels(for: instructionSet),
      let reason = kernels.refusal(
        algorithm, convolution.pass, convolution.geometry, numerics: convolution.numerics)
    {
      throw Mistake(
        "\(place).algorithm", expected: "an algorithm that computes this convolution",
        found: "\(algorithm.rawValue), which refuses \(reason)")
    }
    return (convolution, algorithm)
  }

  /// Sizes as a graph would take them.
  private func geometry(at place: String) throws -> ConvolutionGeometry {
    func numbers(_ values: [WholeNumber], _ count: Int, _ name: String) throws -> [Int] {
      guard values.count == count else {
        throw Mistake("\(place).\(name)", expected: "\(count) numbers", found: "\(values.count)")
      }
      return values.map(\.wrappedValue)
    }
    let stride = try numbers(stride, 2, "stride")
    let dilation = try numbers(dilation, 2, "dilation")
    let pad = try numbers(pad, 4, "pad")
    guard groups >= 1, c % groups == 0, k % groups == 0 else {
      throw Mistake("\(place).groups", expected: "a divisor of c and k", found: "\(groups)")
    }
    let window = ResolvedWindow2D(
      kernel: Size2D(y: r, x: s), stride: Size2D(y: stride[0], x: stride[1]),
      dilation: Size2D(y: dilation[0], x: dilation[1]), top: pad[0], left: pad[1], bottom: pad[2], right: pad[3])
    do {
      let output = try window.outputSize(height: h, width: w, at: place)
      for shape in [[n, h, w, c], [r, s, c / groups, k], [n, output.y, output.x, k]] as [Shape] {
        try shape.validate(at: place)
      }
    } catch {
      throw Mistake(place, expected: error.expected, found: error.found)
    }
    return ConvolutionGeometry(
      n: n, h: h, w: w, c: c, k: k, r: r, s: s, strideY: stride[0], strideX: stride[1], dilationY: dilation[0],
      dilationX: dilation[1], padTop: pad[0], padLeft: pad[1], padBottom: pad[2], padRight: pad[3], groups: groups)
  }
}
