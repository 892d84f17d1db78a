import TesseraRuntime
import TesseraVerification
import Testing

/// Walks over random grids and random groups of workers, against what a set of tasks says.
@Suite struct TaskWalkTests {
  private static func randomWalk(_ random: inout TestRandom) -> (walk: TaskWalk, bands: [Range<Int>], workers: Int) {
    let channelParts = random.int(1...12)
    let pixelParts = random.int(0...3) == 0 ? random.int(0...4) : random.int(1...300)
    let workers = random.int(1...70)
    var bands: [Range<Int>] = []
    while bands.last?.upperBound != workers {
      let start = bands.last?.upperBound ?? 0
      bands.append(start..<random.int(start + 1...workers))
    }
    let walk = TaskWalk(taskCount: channelParts * pixelParts, channelParts: channelParts, bands: bands, of: workers)
    return (walk, bands, workers)
  }

  @Test(arguments: 0..<200) func everyTaskIsDealtOutOnceAndEvenly(seed: Int) {
    var random = TestRandom(UInt64(seed))
    let (walk, _, workers) = Self.randomWalk(&random)
    let shares = (0..<workers).map { walk.share($0, of: workers) }
    #expect(shares.first?.lowerBound == 0 && shares.last?.upperBound == walk.taskCount)
    #expect(zip(shares, shares.dropFirst()).allSatisfy { $0.upperBound == $1.lowerBound })
    let counts = shares.map(\.count)
    #expect(counts.max()! - counts.min()! <= 1)
    #expect(shares.flatMap { $0.map(walk.task(at:)) }.sorted() == Array(0..<walk.taskCount))
  }

  /// What a piece touches is what its tasks touch; pixels of a band that is crossed may be counted though only some
  /// channels of theirs are in it.
  @Test(arguments: 0..<200) func extentsAreThoseOfTheTasks(seed: Int) {
    var random = TestRandom(UInt64(1000 + seed))
    let (walk, _, _) = Self.randomWalk(&random)
    let first = random.int(0...walk.taskCount)
    let piece = first..<random.int(first...walk.taskCount)
    let tasks = piece.map(walk.task(at:))
    let extent = walk.extent(piece)
    let pixels = Set(tasks.map { $0 % max(1, walk.pixelParts) }).count
    let channels = Set(tasks.map { $0 / max(1, walk.pixelParts) }).count
    #expect(extent.pixels >= pixels && extent.pixels <= walk.pixelParts)
    #expect(extent.channels <= walk.channelParts && extent.channels <= max(1, tasks.count))
    #expect(tasks.isEmpty == (extent.pixels == 0))
    if walk.bandStarts.count == 2 { #expect(extent.channels == channels) }
  }

  /// Workers of a band meet the same part of batch and rows in every step: their own, and the parts at its ends, which
  /// they share with their neighbours.
  @Test(arguments: 0..<200) func bandsKeepToTheirPartOfTheBatch(seed: Int) {
    var random = TestRandom(UInt64(2000 + seed))
    let (walk, bands, workers) = Self.randomWalk(&random)
    for band in bands {
      let first = walk.pixelParts * band.lowerBound / workers
      let last = (walk.pixelParts * band.upperBound + workers - 1) / workers
      for worker in band {
        for position in walk.share(worker, of: workers) {
          let pixel = walk.task(at: position) % walk.pixelParts
          #expect(pixel >= first && pixel < max(first + 1, last))
        }
      }
    }
  }
}
