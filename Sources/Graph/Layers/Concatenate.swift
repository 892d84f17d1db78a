/// The channels of several layers' results on one input, side by side: [..., C_1 + C_2 + ...]. The results are alike but
/// for their channels.
public struct Concatenate: Layer {
  private let branches: [any Layer]
  private let name: String?

  /// - Parameters:
  ///   - name: a level of names of its own; nil: the branches belong to the enclosing one.
  ///   - branches: one a line, each a layer or a ``Sequential``; at least one.
  public init(name: String? = nil, @LayerListBuilder _ branches: () -> [any Layer]) {
    self.branches = branches()
    self.name = name
  }

  public func build(_ x: Value, in builder: ModelBuilder) throws(TesseraError) -> Value {
    // Without a name the branches belong to the enclosing level.
    guard let name else { return try buildBranches(x, in: builder) }
    return try builder.scope(name, kind: "concatenate") { () throws(TesseraError) in
      try buildBranches(x, in: builder)
    }
  }

  private func buildBranches(_ x: Value, in builder: ModelBuilder) throws(TesseraError) -> Value {
    var results: [Value] = []
    for branch in branches { results.append(try branch.build(x, in: builder)) }
    return try builder.apply(ConcatenateOperation(), results, name: "concatenate")
  }
}

/// x itself: what a branch is that only passes its input on.
public struct Identity: Layer {
  /// The layer has no parameters.
  public init() {}

  public func build(_ x: Value, in builder: ModelBuilder) throws(TesseraError) -> Value { x }
}
