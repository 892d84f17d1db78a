/// The register tiles of this instruction set: rows x vectors.
///
/// Budget of 32 registers: 12 x 2 = 24 accumulators + 2 of b + 1 broadcast = 27; 8 x 3 = 24 + 3 + 1 = 28;
/// 6 x 4 = 24 + 4 + 1 = 29. Taller ones (14 x 2) are not fully unrolled by the compiler and spill.
enum TileList {
  static var maximumVectors: Int { 4 }

  /// The tallest tile of a width.
  @inline(__always)
  static func maximumRows(vectors: Int) -> Int {
    switch vectors {
    case 1: 12
    case 2: 12
    case 3: 8
    default: 6
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
      case 6: RegisterTile<6, 1>.run(task)
      case 7: RegisterTile<7, 1>.run(task)
      case 8: RegisterTile<8, 1>.run(task)
      case 9: RegisterTile<9, 1>.run(task)
      case 10: RegisterTile<10, 1>.run(task)
      case 11: RegisterTile<11, 1>.run(task)
      default: RegisterTile<12, 1>.run(task)
      }
    case 2:
      switch rows {
      case 1: RegisterTile<1, 2>.run(task)
      case 2: RegisterTile<2, 2>.run(task)
      case 3: RegisterTile<3, 2>.run(task)
      case 4: RegisterTile<4, 2>.run(task)
      case 5: RegisterTile<5, 2>.run(task)
      case 6: RegisterTile<6, 2>.run(task)
      case 7: RegisterTile<7, 2>.run(task)
      case 8: RegisterTile<8, 2>.run(task)
      case 9: RegisterTile<9, 2>.run(task)
      case 10: RegisterTile<10, 2>.run(task)
      case 11: RegisterTile<11, 2>.run(task)
      default: RegisterTile<12, 2>.run(task)
      }
    case 3:
      switch rows {
      case 1: RegisterTile<1, 3>.run(task)
      case 2: RegisterTile<2, 3>.run(task)
      case 3: RegisterTile<3, 3>.run(task)
      case 4: RegisterTile<4, 3>.run(task)
      case 5: RegisterTile<5, 3>.run(task)
      case 6: RegisterTile<6, 3>.run(task)
      case 7: RegisterTile<7, 3>.run(task)
      default: RegisterTile<8, 3>.run(task)
      }
    default:
      switch rows {
      case 1: RegisterTile<1, 4>.run(task)
      case 2: RegisterTile<2, 4>.run(task)
      case 3: RegisterTile<3, 4>.run(task)
      case 4: RegisterTile<4, 4>.run(task)
      case 5: RegisterTile<5, 4>.run(task)
      default: RegisterTile<6, 4>.run(task)
      }
    }
  }
}
