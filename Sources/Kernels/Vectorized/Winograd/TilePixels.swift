/// Where the pixels of a tile are, and what stands for those that aren't there: a worker's scratch while it transforms
/// tiles. The transforms take whole vectors of channels only; the last, partial one goes through `edge`.
struct TilePixels {
  /// The largest tile.
  private static var most: Int { Winograd.points }
  private static var floatsOfTable: Int {
    most * MemoryLayout<UnsafePointer<Float>>.stride / MemoryLayout<Float>.stride
  }

  /// Floats of scratch for images of so many channels.
  static func scratchCount(channels: Int) -> Int { 2 * floatsOfTable + most * lanes + paddedCount(channels) }

  static func paddedCount(_ channels: Int) -> Int { ceilingQuotient(channels, lanes) * lanes }

  /// The tile's pixels, row by row.
  let pixels: UnsafeMutablePointer<UnsafeMutablePointer<Float>>
  /// Pixels of one vector each, and where they are.
  private let edge: UnsafeMutablePointer<Float>
  let edgePixels: UnsafeMutablePointer<UnsafeMutablePointer<Float>>
  /// A pixel of zeros outside the image.
  private let zeros: UnsafeMutablePointer<Float>

  init(_ scratch: UnsafeMutablePointer<Float>, channels: Int) {
    let tables = UnsafeMutableRawPointer(scratch)
    pixels = tables.assumingMemoryBound(to: UnsafeMutablePointer<Float>.self)
    edgePixels = pixels + Self.most
    edge = scratch + 2 &* Self.floatsOfTable
    zeros = edge + Self.most &* lanes
    for index in 0..<Self.most { edgePixels[index] = edge + index &* lanes }
    for index in 0..<Self.paddedCount(channels) { zeros[index] = 0 }
  }

  var readable: Winograd.Pixels { UnsafeRawPointer(pixels).assumingMemoryBound(to: UnsafePointer<Float>.self) }
  var readableEdge: Winograd.Pixels { UnsafeRawPointer(edgePixels).assumingMemoryBound(to: UnsafePointer<Float>.self) }

  /// The 6 x 6 input pixels of a tile.
  func findInputs(
    of tile: WinogradTiles.Tile, _ tiles: WinogradTiles, _ x: UnsafePointer<Float>, pixelStep: Int
  ) {
    let (row, column) = (tile.row &+ tiles.offsetY, tile.column &+ tiles.offsetX)
    let image =
      UnsafeMutablePointer(mutating: x) + tile.image &* tiles.inputHeight &* tiles.inputWidth &* pixelStep
    for i in 0..<6 {
      let y = row &+ i &* tiles.dilationY
      let isInside = y >= 0 && y < tiles.inputHeight
      for j in 0..<6 {
        let x = column &+ j &* tiles.dilationX
        pixels[i &* 6 &+ j] =
          isInside && x >= 0 && x < tiles.inputWidth ? image + (y &* tiles.inputWidth &+ x) &* pixelStep : zeros
      }
    }
  }

  /// The output pixels of a tile, row by row; zeros, or memory that nobody reads, for those that don't exist.
  func findOutputs(
    of tile: WinogradTiles.Tile, _ tiles: WinogradTiles, _ y: UnsafeMutablePointer<Float>, pixelStep: Int
  ) {
    let corner =
      y + ((tile.image &* tiles.outputHeight &+ tile.row) &* tiles.outputWidth &+ tile.column) &* pixelStep
    let (rowStep, columnStep) = (tiles.dilationY &* tiles.outputWidth &* pixelStep, tiles.dilationX &* pixelStep)
    let outputs = tiles.outputs
    for i in 0..<outputs {
      for j in 0..<outputs {
        pixels[i &* outputs &+ j] =
          i < tile.rows && j < tile.columns ? corner + (i &* rowStep &+ j &* columnStep) : zeros
      }
    }
  }

  /// Copies the last, partial vector of `count` pixels to the edge, zeros behind it.
  func loadEdge(_ count: Int, channel: Int, valid: Int) {
    for index in 0..<count { store(loadFirst(valid, pixels[index] + channel), edgePixels[index]) }
  }

  /// Copies the edge to the last, partial vector of `count` pixels.
  func storeEdge(_ count: Int, channel: Int, valid: Int) {
    for index in 0..<count { storeFirst(valid, load(edgePixels[index]), pixels[index] + channel) }
  }

  /// V of the tile whose input pixels were found: target[i step + c] for all channels, padded to whole vectors.
  func transformInput(channels: Int, _ target: UnsafeMutablePointer<Float>, step: Int) {
    var c = 0
    while c &+ lanes <= channels {
      Winograd.transformInput(readable, channel: c, target + c, step: step)
      c &+= lanes
    }
    if c < channels {
      loadEdge(36, channel: c, valid: channels &- c)
      Winograd.transformInput(readableEdge, channel: 0, target + c, step: step)
    }
  }

  /// Likewise for the gradient of its output pixels, of `outputs` x `outputs`.
  func transformOutputGradient(outputs: Int, filters: Int, _ target: UnsafeMutablePointer<Float>, step: Int) {
    var k = 0
    while k &+ lanes <= filters {
      Winograd.transformOutputGradient(outputs: outputs, readable, filter: k, target + k, step: step)
      k &+= lanes
    }
    if k < filters {
      loadEdge(outputs &* outputs, channel: k, valid: filters &- k)
      Winograd.transformOutputGradient(outputs: outputs, readableEdge, filter: 0, target + k, step: step)
    }
  }
}
