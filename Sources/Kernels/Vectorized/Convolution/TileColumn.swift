/// What a column of tiles asks for while it runs: operands of the column behind, which come from level 3 or memory. Each of
/// its tiles asks for one more line a step, until all lines are.
struct NextOperands {
  /// Floats from a to the a of the column behind, and how many of a step there are; 0 for none.
  var a = 0, aCount = 0
  /// The same for b.
  var b = 0, bCount = 0
  /// What is read next besides, by others than the tiles.
  var scattered: ScatteredLines?
  /// Lines of each step that were asked for.
  private var asked = 0

  private static var floatsOfLine: Int { 16 }

  init(a: Int = 0, aCount: Int = 0, b: Int = 0, bCount: Int = 0, scattered: ScatteredLines? = nil) {
    (self.a, self.aCount, self.b, self.bCount, self.scattered) = (a, aCount, b, bCount, scattered)
  }

  /// Sets what the next tile asks for, whose a begins `offset` floats behind the column's.
  @inline(__always)
  mutating func ask(_ tile: inout TileTask, offset: Int) {
    let first = asked &* Self.floatsOfLine
    tile.ahead = a > 0 && first < aCount ? max(0, a &+ first &- offset) : 0
    tile.aheadB = b > 0 && first < bCount ? b &+ first : 0
    asked &+= 1
    scattered?.askForPart()
  }
}

extension TileTask {
  /// Runs the tiles of a column of so many rows, from the first to the last. Their heights differ by one at most, so that
  /// no tile is a short rest.
  func runColumn(rows: Int, vectors: Int, asking next: inout NextOperands) {
    var tile = self
    var left = ceilingQuotient(rows, TileList.maximumRows(vectors: vectors))
    var done = 0
    while left > 0 {
      let height = (rows &- done) / left
      next.ask(&tile, offset: done &* aRow)
      TileList.run(rows: height, vectors: vectors, tile)
      tile.a += height &* aRow
      tile.out += height &* outRow
      done &+= height
      left &-= 1
    }
  }

  /// The same where all operands are in level 2.
  func runColumn(rows: Int, vectors: Int) {
    var nothing = NextOperands()
    runColumn(rows: rows, vectors: vectors, asking: &nothing)
  }
}
