/// Data cache capacities that one worker may count on, in bytes. Blocking follows from these and the problem alone,
/// never from the number of workers, so that every sum keeps its order.
public struct CacheSizes: Hashable, Sendable {
  /// Bytes of a core's first data cache.
  public var level1Bytes: Int
  /// Bytes of the second.
  public var level2Bytes: Int
  /// Bytes of the last, which cores may share.
  public var level3Bytes: Int

  /// Bytes of a core's first data cache.
  public init(level1Bytes: Int, level2Bytes: Int, level3Bytes: Int) {
    self.level1Bytes = level1Bytes
    self.level2Bytes = level2Bytes
    self.level3Bytes = level3Bytes
  }

  /// What is assumed of a machine that doesn't tell: 32 KiB, 512 KiB and 8 MiB.
  public static let typical = CacheSizes(
    level1Bytes: 32 << 10, level2Bytes: 512 << 10, level3Bytes: 8 << 20)
}
