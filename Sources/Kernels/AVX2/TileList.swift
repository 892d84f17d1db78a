/// The register tiles of this instruction set: rows x vectors.
///
/// Budget of 16 registers: 6 x 2 = 12 accumulators + 2 of b + 1 broadcast = 15; 4 x 3 = 12 + 3 + 1 = 16.
enum TileList {
  static var maximumVectors: Int { 3 }

  /// The tallest tile of a width.
  @inline(__always)
  static func maximumRows(vectors: Int) -> Int {
    switch vectors {
    case 1: 6
    case 2: 6
    default: 4
    }
  }

  /// Runs the tile of this size.
  @inline(__always)
  static func run(rows: Int, vectors: Int, _ task: TileTask) {
    switch vectors {
    case 1:
      switch rows {
      case 1: RegisterTile<1, 1>.run(task)
      case 2: RegisterTile<2, 1>.run(task)
      case 3: RegisterTile<3, 1>.run(task)
      case 4: RegisterTile<4, 1>.run(task)
      case 5: RegisterTile<5, 1>.run(task)
      default: RegisterTile<6, 1>.run(task)
      }
    case 2:
      switch rows {
      case 1: RegisterTile<1, 2>.run(task)
      case 2: RegisterTile<2, 2>.run(task)
      case 3: RegisterTile<3, 2>.run(task)
      case 4: RegisterTile<4, 2>.run(task)
      case 5: RegisterTile<5, 2>.run(task)
      default: RegisterTile<6, 2>.run(task)
      }
    default:
      switch rows {
      case 1: RegisterTile<1, 3>.run(task)
      case 2: RegisterTile<2, 3>.run(task)
      case 3: RegisterTile<3, 3>.run(task)
      default: RegisterTile<4, 3>.run(task)
      }
    }
  }
}
