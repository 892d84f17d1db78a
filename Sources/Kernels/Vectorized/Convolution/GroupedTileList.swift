/// A computation that exists for each size of a tile of narrow groups.
protocol GroupedTileKernel {
  associatedtype Task

  static func run<let columns: Int, let taps: Int, let stride: Int, let width: Int>(
    _ size: GroupedTileSize<columns, taps, stride, width>, _ task: Task)
}

/// Names a size.
struct GroupedTileSize<let columns: Int, let taps: Int, let stride: Int, let width: Int> {}

/// The sizes of tiles: columns of outputs, taps of a row, stride, channels of a group.
enum GroupedTileList {
  /// The widths of tiles: 2 x 7 accumulators need 32 registers.
  static var wide: Int { lanes == 16 ? 7 : 4 }
  static var narrow: Int { lanes == 16 ? 4 : 3 }

  static func serves(taps: Int, stride: Int, width: Int) -> Bool {
    (1...2).contains(stride)
      && (width == 1 ? [3, 5, 7].contains(taps) : [4, 8].contains(width) && width < lanes && taps == 3)
  }

  @inline(__always)
  static func run<Kernel: GroupedTileKernel>(
    _ kernel: Kernel.Type, columns: Int, taps: Int, stride: Int, width: Int, _ task: Kernel.Task
  ) {
    switch (columns, taps, stride, width) {
    case (7, 3, 1, 1) where lanes == 16: kernel.run(GroupedTileSize<7, 3, 1, 1>(), task)
    case (7, 5, 1, 1) where lanes == 16: kernel.run(GroupedTileSize<7, 5, 1, 1>(), task)
    case (7, 7, 1, 1) where lanes == 16: kernel.run(GroupedTileSize<7, 7, 1, 1>(), task)
    case (7, 3, 2, 1) where lanes == 16: kernel.run(GroupedTileSize<7, 3, 2, 1>(), task)
    case (7, 5, 2, 1) where lanes == 16: kernel.run(GroupedTileSize<7, 5, 2, 1>(), task)
    case (7, 7, 2, 1) where lanes == 16: kernel.run(GroupedTileSize<7, 7, 2, 1>(), task)
    case (4, 3, 1, 1): kernel.run(GroupedTileSize<4, 3, 1, 1>(), task)
    case (4, 5, 1, 1): kernel.run(GroupedTileSize<4, 5, 1, 1>(), task)
    case (4, 7, 1, 1): kernel.run(GroupedTileSize<4, 7, 1, 1>(), task)
    case (4, 3, 2, 1): kernel.run(GroupedTileSize<4, 3, 2, 1>(), task)
    case (4, 5, 2, 1): kernel.run(GroupedTileSize<4, 5, 2, 1>(), task)
    case (4, 7, 2, 1): kernel.run(GroupedTileSize<4, 7, 2, 1>(), task)
    case (3, 3, 1, 1) where lanes < 16: kernel.run(GroupedTileSize<3, 3, 1, 1>(), task)
    case (3, 5, 1, 1) where lanes < 16: kernel.run(GroupedTileSize<3, 5, 1, 1>(), task)
    case (3, 7, 1, 1) where lanes < 16: kernel.run(GroupedTileSize<3, 7, 1, 1>(), task)
    case (3, 3, 2, 1) where lanes < 16: kernel.run(GroupedTileSize<3, 3, 2, 1>(), task)
    case (3, 5, 2, 1) where lanes < 16: kernel.run(GroupedTileSize<3, 5, 2, 1>(), task)
    case (3, 7, 2, 1) where lanes < 16: kernel.run(GroupedTileSize<3, 7, 2, 1>(), task)
    case (7, 3, 1, 4) where lanes == 16: kernel.run(GroupedTileSize<7, 3, 1, 4>(), task)
    case (7, 3, 1, 8) where lanes == 16: kernel.run(GroupedTileSize<7, 3, 1, 8>(), task)
    case (7, 3, 2, 4) where lanes == 16: kernel.run(GroupedTileSize<7, 3, 2, 4>(), task)
    case (7, 3, 2, 8) where lanes == 16: kernel.run(GroupedTileSize<7, 3, 2, 8>(), task)
    case (4, 3, 1, 4) where lanes > 4: kernel.run(GroupedTileSize<4, 3, 1, 4>(), task)
    case (4, 3, 1, 8) where lanes == 16: kernel.run(GroupedTileSize<4, 3, 1, 8>(), task)
    case (4, 3, 2, 4) where lanes > 4: kernel.run(GroupedTileSize<4, 3, 2, 4>(), task)
    case (4, 3, 2, 8) where lanes == 16: kernel.run(GroupedTileSize<4, 3, 2, 8>(), task)
    case (3, 3, 1, 4) where lanes == 8: kernel.run(GroupedTileSize<3, 3, 1, 4>(), task)
    case (3, 3, 2, 4) where lanes == 8: kernel.run(GroupedTileSize<3, 3, 2, 4>(), task)
    default: preconditionFailure("a tile outside the list")
    }
  }
}
