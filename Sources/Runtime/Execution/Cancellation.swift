import Synchronization

/// Calls runs off. Any thread may cancel, before a run or during it; a run looks before each node.
///
/// A task cancels its runs by `withTaskCancellationHandler { try session.run(...) } onCancel: { cancellation.cancel() }`.
public final class Cancellation: Sendable {
  private let flag = Atomic<Bool>(false)

  public init() {}

  public var isCancelled: Bool { flag.load(ordering: .relaxed) }

  /// For good: a cancellation is made for one run, or for those that end together.
  public func cancel() { flag.store(true, ordering: .relaxed) }
}
