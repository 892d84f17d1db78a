extension TileTask {
  /// Covers so many rows with tiles whose heights differ by one at most, so that none is a short rest.
  @inline(__always)
  func runColumn(rows: Int, vectors: Int) {
    var task = self
    var remaining = rows
    var left = ceilingQuotient(rows, TileList.maximumRows(vectors: vectors))
    while left > 0 {
      let height = remaining / left
      TileList.run(rows: height, vectors: vectors, task)
      task.a += height &* task.aRow
      task.out += height &* task.outRow
      remaining &-= height
      left &-= 1
    }
  }
}
