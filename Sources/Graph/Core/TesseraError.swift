/// The one error type of Tessera: what was expected, what was found, and where.
///
/// Everything that a user, a file or a command line can get wrong is reported by this type. Its code is a structure and
/// not an enumeration, so that a later version may add codes without breaking a host that compares them.
public struct TesseraError: Error, Sendable, CustomStringConvertible {
  /// The kind of mistake, stable across versions.
  public struct Code: Hashable, Sendable, CustomStringConvertible {
    /// The words that errors are printed with.
    public let description: String

    /// A shape doesn't fit where it is used.
    public static let shapeMismatch = Code(description: "shape mismatch")
    /// An element type doesn't fit where it is used.
    public static let elementTypeMismatch = Code(description: "element type mismatch")
    /// A negative size, a rank above 8, or a size whose product overflows.
    public static let invalidShape = Code(description: "invalid shape")
    /// An attribute outside its range: a kernel of 0, a probability of 1, a negative stride.
    public static let invalidAttribute = Code(description: "invalid attribute")
    /// Two things by one name.
    public static let duplicateName = Code(description: "duplicate name")
    /// A name or value that doesn't exist here.
    public static let notFound = Code(description: "not found")
    /// The operation has no gradient with respect to that operand.
    public static let notDifferentiable = Code(description: "not differentiable")
    /// The operation, element type or instruction set isn't available in this build or on this machine.
    public static let unsupported = Code(description: "unsupported")
    /// Data outside its range: a label above the number of classes.
    public static let invalidData = Code(description: "invalid data")
    /// A loss or gradient is NaN or infinite; nothing was written.
    public static let notFinite = Code(description: "not finite")
    /// A kernel from outside threw; see ``TesseraError/underlying``.
    public static let kernelFailed = Code(description: "kernel failed")
    /// The caller called the run off; see the runtime's `Cancellation`.
    public static let cancelled = Code(description: "cancelled")
    /// The run's deadline passed before its end.
    public static let deadlineExceeded = Code(description: "deadline exceeded")
    /// A program needs more memory than it may have.
    public static let memoryLimitExceeded = Code(description: "memory limit exceeded")
    /// A file can't be read or written, or isn't what it should be.
    public static let invalidFile = Code(description: "invalid file")
    /// The operating system refused something without which there is no going on.
    public static let systemFailure = Code(description: "system failure")

    /// A code of a module or host on top of Tessera.
    public init(description: String) { self.description = description }
  }

  /// The kind of mistake.
  public let code: Code
  /// The node, layer, tensor, file (with line or offset) or argument at fault.
  public let location: String
  /// What would have been right.
  public let expected: String
  /// What was there instead.
  public let found: String
  /// What a foreign kernel or the system threw.
  public let underlying: (any Error)?

  /// Every error says where, what was expected and what was found.
  public init(
    _ code: Code, at location: String, expected: String, found: String,
    underlying: (any Error)? = nil
  ) {
    self.code = code
    self.location = location
    self.expected = expected
    self.found = found
    self.underlying = underlying
  }

  public var description: String {
    "\(location): \(code): expected \(expected), found \(found)"
  }
}
