/// The order in which a step's tasks are dealt out to workers, each of whom gets a contiguous piece of it.
///
/// Tasks are a grid: parts of the output channels, each of which runs over all parts of batch and rows ("pixel parts").
/// Their numbers follow from the problem and go through a part of the channels first. The walk cuts the pixel parts into
/// bands and goes through a band, channel part by channel part, before it takes the next one:
///
/// - one band: neighbours share pixels and differ in channels, so weights are read once in all;
/// - a band a worker: neighbours differ in pixels, so the input is read once in all, and weights by everyone;
/// - a band a cache, or a NUMA node: batch and rows are cut among these, and channels within.
///
/// A pixel part that falls between two bands is one of its own, shared by both sides channel by channel.
///
/// Only who computes a task follows from the walk, never what it computes.
package struct TaskWalk: Hashable, Sendable {
  package let taskCount: Int
  package let channelParts: Int
  package var pixelParts: Int { taskCount / channelParts }
  /// The first pixel part of each band, and `pixelParts` behind the last.
  package let bandStarts: [Int]

  /// - Parameter workers: the workers that each band is for, from 0 to `count`: its size is in proportion.
  package init(taskCount: Int, channelParts: Int, bands workers: [Range<Int>], of count: Int) {
    precondition(taskCount % channelParts == 0, "tasks are channel parts times pixel parts")
    self.taskCount = taskCount
    self.channelParts = channelParts
    let pixels = taskCount / channelParts
    var starts = [0]
    for worker in workers.dropFirst().map(\.lowerBound) {
      let start = Self.cut(pixels, at: worker, of: count)
      starts.append(start)
      // A part that two neighbours share is a band of its own: each computes some of its channels, and nobody goes
      // further into the other's.
      if pixels * worker % count != 0 { starts.append(start + 1) }
    }
    bandStarts = starts + [pixels]
  }

  /// The positions in the walk that one of so many workers gets: as many as any other, or one more.
  package func share(_ worker: Int, of workers: Int) -> Range<Int> {
    Self.positions(taskCount, of: worker..<worker + 1, workers)
  }

  /// What neighbouring workers get together.
  package func positions(of some: Range<Int>, _ workers: Int) -> Range<Int> {
    Self.positions(taskCount, of: some, workers)
  }

  /// The same from the walk's number of tasks, for those who hold it elsewhere.
  @inline(__always)
  static func positions(_ taskCount: Int, of some: Range<Int>, _ workers: Int) -> Range<Int> {
    cut(taskCount, at: some.lowerBound, of: workers)..<cut(taskCount, at: some.upperBound, of: workers)
  }

  /// The task at a position of the walk.
  package func task(at position: Int) -> Int {
    bandStarts.withUnsafeBufferPointer {
      Self.task(at: position, channelParts: channelParts, pixelParts: pixelParts, bandStarts: $0)
    }
  }

  /// The same from the walk's parts, for those who hold them elsewhere.
  @inline(__always)
  static func task(at position: Int, channelParts: Int, pixelParts: Int, bandStarts: UnsafeBufferPointer<Int>) -> Int {
    let band = band(ofPixel: position / channelParts, bandStarts)
    let width = bandStarts[band + 1] - bandStarts[band]
    let local = position - bandStarts[band] * channelParts
    return local / width * pixelParts + bandStarts[band] + local % width
  }

  /// The last band that begins at or before a pixel part.
  @inline(__always)
  private static func band(ofPixel pixel: Int, _ bandStarts: UnsafeBufferPointer<Int>) -> Int {
    var (low, high) = (0, bandStarts.count - 2)
    while low < high {
      let middle = (low + high + 1) / 2
      if bandStarts[middle] <= pixel { low = middle } else { high = middle - 1 }
    }
    return low
  }

  /// How much of the grid a piece of the walk touches.
  package struct Extent: Sendable {
    /// Channel parts, whose weights are read.
    package var channels = 0
    /// Pixel parts, whose input is read.
    package var pixels = 0
    /// Places where the piece has a neighbour in batch and rows: there both read the rows between.
    package var seams = 0
  }

  package func extent(_ positions: Range<Int>) -> Extent {
    var extent = Extent()
    guard !positions.isEmpty else { return extent }
    var band = bandStarts.withUnsafeBufferPointer { Self.band(ofPixel: positions.lowerBound / channelParts, $0) }
    var start = positions.lowerBound
    while start < positions.upperBound {
      let first = bandStarts[band] * channelParts
      let width = bandStarts[band + 1] - bandStarts[band]
      let end = min(positions.upperBound, first + width * channelParts)
      if end > start {
        let channels = (end - 1 - first) / width - (start - first) / width + 1
        extent.channels = max(extent.channels, channels)
        extent.pixels += channels == 1 ? end - start : width
        extent.seams += 2
      }
      start = max(start, end)
      band += 1
    }
    extent.pixels = min(extent.pixels, pixelParts)
    return extent
  }

  @inline(__always)
  private static func cut(_ count: Int, at worker: Int, of workers: Int) -> Int { count * worker / workers }
}
