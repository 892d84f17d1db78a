import TesseraGraph

/// How one dimension is resized. Every result is at a place of the operand, by the rule that the model names.
private struct ResizedAxis {
  let size: Int
  let outputs: Int
  let scale: Double
  /// The size of the result before it is rounded.
  let exactOutputs: Double
  let rule: String
  /// Part of the operand that is cut out, from 0 to 1.
  let start: Double
  let end: Double

  func place(_ output: Int) -> Double {
    let x = Double(output)
    let (size, outputs, rounded) = (Double(size), exactOutputs, Double(outputs))
    switch rule {
    case "align_corners": return outputs == 1 ? 0 : x * (size - 1) / (outputs - 1)
    case "asymmetric": return x / scale
    case "pytorch_half_pixel": return outputs > 1 ? (x + 0.5) / scale - 0.5 : 0
    case "tf_half_pixel_for_nn": return (x + 0.5) / scale
    case "tf_crop_and_resize":
      return outputs > 1
        ? start * (size - 1) + x * (end - start) * (size - 1) / (outputs - 1)
        : 0.5 * (start + end) * (size - 1)
    case "half_pixel_symmetric":
      // The results' centre stays over the operand's, whatever rounding did to the size.
      let adjustment = rounded / outputs
      return size / 2 * (1 - adjustment) + (x + 0.5) / scale - 0.5
    default: return (x + 0.5) / scale - 0.5
    }
  }

  func nearest(_ output: Int, _ mode: String) -> Int {
    let place = place(output)
    let rounded: Double =
      switch mode {
      case "floor": place.rounded(.down)
      case "ceil": place.rounded(.up)
      case "round_prefer_ceil": (place + 0.5).rounded(.down)
      default: (place - 0.5).rounded(.up)
      }
    return min(max(Int(rounded), 0), size - 1)
  }

  /// Weighted elements around a place: of a tent, or of Keys' cubic with coefficient a, which antialiasing widens.
  func terms(_ output: Int, cubic a: Double?, antialiases: Bool, excludesOutside: Bool) -> [(
    index: Int, weight: Double
  )] {
    let place = place(output)
    let stretch = antialiases ? min(scale, 1) : 1
    let reach = (a == nil ? 1 : 2) / stretch
    var terms: [(index: Int, weight: Double)] = []
    var total = 0.0
    for index in Int((place - reach).rounded(.down))...Int((place + reach).rounded(.up)) {
      let distance = abs(Double(index) - place) * stretch
      let weight = a.map { Self.cubic(distance, $0) } ?? max(0, 1 - distance)
      if weight == 0 { continue }
      let isOutside = !(0..<size ~= index)
      if isOutside && excludesOutside { continue }
      total += weight
      terms.append((min(max(index, 0), size - 1), weight))
    }
    return terms.map { ($0.index, $0.weight / total) }
  }

  private static func cubic(_ s: Double, _ a: Double) -> Double {
    if s < 1 { return ((a + 2) * s - (a + 3)) * s * s + 1 }
    return s < 2 ? ((a * s - 5 * a) * s + 8 * a) * s - 4 * a : 0
  }

  /// Whether a place lies beside the operand.
  func isOutside(_ output: Int) -> Bool {
    let place = place(output)
    return place < 0 || place > Double(size - 1)
  }
}

extension Importer {
  mutating func resize(_ node: NodeReader) throws(TesseraError) -> Imported {
    let x = try unfolded(node.input(0))
    let mode = try node.choice("mode", else: "nearest", of: ["nearest", "linear", "bilinear", "cubic"])
    let antialiases = try node.flag("antialias")
    let excludesOutside = try node.flag("exclude_outside")
    let nearest = try node.choice(
      "nearest_mode", else: opset < 11 ? "floor" : "round_prefer_floor",
      of: ["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"])
    let cubic = mode == "cubic" ? try node.number("cubic_coeff_a", else: -0.75) : nil
    let axes = try resizedAxes(node, x)
    if mode == "nearest" {
      return try select(
        x,
        axes.map { axis in
          guard let axis else { return .all }
          return .indices((0..<axis.outputs).map { axis.nearest($0, nearest) })
        }, node)
    }
    try requireFloats([x], node)
    var value = try anyOrder(x)
    var shape = x.shape
    for (index, axis) in axes.enumerated() {
      guard let axis else { continue }
      let terms = (0..<axis.outputs).map {
        axis.terms($0, cubic: cubic, antialiases: antialiases, excludesOutside: excludesOutside)
      }
      value = try graph.apply(
        AxisCombination(axis: x.stored(index), size: axis.size, terms: terms), value, name: node.name)
      shape[index] = axis.outputs
    }
    let y = Imported(node.name, value, shape: shape, order: x.order)
    guard axes.contains(where: { $0?.rule == "tf_crop_and_resize" }) else { return y }
    return try select(
      y,
      axes.map { axis in
        guard let axis else { return .all }
        return .indices((0..<axis.outputs).map { axis.isOutside($0) ? -1 : $0 })
      }, filler: node.number("extrapolation_value", else: 0), node)
  }

  /// Nil for dimensions that stay as they are.
  private func resizedAxes(_ node: NodeReader, _ x: Imported) throws(TesseraError) -> [ResizedAxis?] {
    let isOld = node.proto.opType == "Upsample" || opset < 11
    let rule = try node.choice(
      "coordinate_transformation_mode", else: isOld ? "asymmetric" : "half_pixel",
      of: [
        "half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners", "asymmetric",
        "tf_half_pixel_for_nn", "tf_crop_and_resize",
      ])
    var places = Array(0..<x.rank)
    if let given = try node.integers("axes") {
      places = []
      for axis in given { places.append(try node.axis(axis, rank: x.rank)) }
    }
    var scales = try node.numbers("scales")?.map { Double($0) }
    if let given = try node.constant(isOld ? 1 : 2)?.doubles, !given.isEmpty { scales = given }
    let sizes = isOld ? nil : try node.integers(3)
    let roi = rule == "tf_crop_and_resize" ? try node.constant(1)?.doubles : nil
    let count = scales?.count ?? sizes?.count ?? 0
    try node.require(
      count == places.count && (roi == nil || roi?.count == 2 * count), .shapeMismatch, "inputs",
      "a scale or a size for each of \(places.count) axes", found: "\(count)")
    var axes: [ResizedAxis?] = Array(repeating: nil, count: x.rank)
    let policy = try node.choice(
      "keep_aspect_ratio_policy", else: "stretch", of: ["stretch", "not_larger", "not_smaller"])
    let ratios = zip(sizes ?? [], places).map { Double($0) / Double(max(1, x.shape[$1])) }
    let common = policy == "not_larger" ? ratios.min() : policy == "not_smaller" ? ratios.max() : nil
    for (index, axis) in places.enumerated() {
      let size = x.shape[axis]
      let (start, end) = roi.map { ($0[index], $0[count + index]) } ?? (0, 1)
      let scale = common ?? scales?[index] ?? ratios[index]
      let exact =
        common == nil && scales == nil
        ? Double(sizes?[index] ?? 0) : Double(size) * scale * (rule == "tf_crop_and_resize" ? end - start : 1)
      let outputs = common == nil ? exact.rounded(.down) : exact.rounded()
      try node.require(
        scale > 0 && scale.isFinite && start.isFinite && end.isFinite
          && 1...AxisSelection.longestTable ~= size && 1...Double(AxisSelection.longestTable) ~= outputs, .unsupported,
        "output", "1 to \(AxisSelection.longestTable) along axis \(axis)", found: "\(outputs)")
      // How many elements a result takes grows where it shrinks: as many as there are, at most.
      try node.require(
        abs(start) < 1e6 && abs(end) < 1e6 && scale > 1e-6, .unsupported, "scales", "a scale above 0.000001",
        found: "\(scale)")
      if Int(outputs) == size && scale == 1 && rule != "tf_crop_and_resize" { continue }
      axes[axis] = ResizedAxis(
        size: size, outputs: Int(outputs), scale: scale, exactOutputs: exact, rule: rule, start: start, end: end)
    }
    return axes
  }
}
