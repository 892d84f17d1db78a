import CTesseraShims

/// Pieces of memory at steps in three directions (images, rows, pixels), of which one part after the other is asked for.
struct ScatteredLines {
  private let first: UnsafePointer<Float>
  private let counts: (Int, Int, Int), steps: (Int, Int, Int)
  private let floats: Int
  private let piecesPerPart: Int
  /// The next piece.
  private var place = (0, 0, 0)

  /// - Parameters:
  ///   - floats: of a piece.
  ///   - parts: in how many parts all of them are asked for; the last quarter is left as a reserve of time.
  init(first: UnsafePointer<Float>, counts: (Int, Int, Int), steps: (Int, Int, Int), floats: Int, parts: Int) {
    (self.first, self.counts, self.steps, self.floats) = (first, counts, steps, floats)
    piecesPerPart = ceilingQuotient(counts.0 &* counts.1 &* counts.2, max(1, parts &* 3 / 4))
  }

  mutating func askForPart() {
    var left = piecesPerPart
    while left > 0, place.0 < counts.0, counts.1 > 0 {
      let count = min(left, counts.2 &- place.2)
      var piece = first + (place.0 &* steps.0 &+ place.1 &* steps.1 &+ place.2 &* steps.2)
      for _ in 0..<count {
        for i in stride(from: 0, to: floats, by: 16) { tessera_prefetch(piece + i) }
        piece += steps.2
      }
      left &-= count
      place.2 &+= count
      if place.2 == counts.2 { (place.1, place.2) = (place.1 &+ 1, 0) }
      if place.1 == counts.1 { (place.0, place.1) = (place.0 &+ 1, 0) }
    }
  }
}
