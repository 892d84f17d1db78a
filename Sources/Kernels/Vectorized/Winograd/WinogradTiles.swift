import TesseraKernelContract

/// How an image is cut into tiles of 6 x 6 inputs: of 4 x 4 outputs with a window of 3 x 3, of 2 x 2 with one of 5 x 5.
/// Tiles overlap by what the window sees beyond a pixel.
///
/// A dilation of d makes d independent images in each direction, of every d-th row or column; each has tiles of its
/// own. Output row p and tap r meet at input row p + offsetY + r dilationY, with the tap rotated for backward-data.
struct WinogradTiles: Sendable {
  /// Taps of the window, and outputs of a tile, in each direction.
  let window: Int, outputs: Int
  let images: Int
  let inputHeight: Int, inputWidth: Int
  let outputHeight: Int, outputWidth: Int
  let dilationY: Int, dilationX: Int
  let offsetY: Int, offsetX: Int

  init(forward g: ConvolutionGeometry) {
    (window, outputs) = (g.r, Winograd.outputs(window: g.r))
    (images, inputHeight, inputWidth, outputHeight, outputWidth) = (g.n, g.h, g.w, g.p, g.q)
    (dilationY, dilationX, offsetY, offsetX) = (g.dilationY, g.dilationX, -g.padTop, -g.padLeft)
  }

  /// Tap r of dx row h meets dy row h + pad - r d: counted from the last tap back, h + pad - (R - 1) d + r' d.
  init(backwardData g: ConvolutionGeometry) {
    (window, outputs) = (g.r, Winograd.outputs(window: g.r))
    (images, inputHeight, inputWidth, outputHeight, outputWidth) = (g.n, g.p, g.q, g.h, g.w)
    (dilationY, dilationX) = (g.dilationY, g.dilationX)
    (offsetY, offsetX) = (g.padTop - (g.r - 1) * g.dilationY, g.padLeft - (g.s - 1) * g.dilationX)
  }

  private var phasesY: Int { min(dilationY, outputHeight) }
  private var phasesX: Int { min(dilationX, outputWidth) }
  private var tilesY: Int { ceilingQuotient(ceilingQuotient(outputHeight, dilationY), outputs) }
  private var tilesX: Int { ceilingQuotient(ceilingQuotient(outputWidth, dilationX), outputs) }
  var count: Int { images * phasesY * phasesX * tilesY * tilesX }

  /// One tile: where its outputs begin, and how many of them there are.
  struct Tile {
    let image: Int
    let row: Int, column: Int
    let rows: Int, columns: Int
  }

  @inline(__always)
  subscript(_ index: Int) -> Tile {
    var rest = index
    let tx = rest % tilesX
    rest /= tilesX
    let ty = rest % tilesY
    rest /= tilesY
    let px = rest % phasesX
    rest /= phasesX
    let py = rest % phasesY
    let row = py &+ outputs &* ty &* dilationY
    let column = px &+ outputs &* tx &* dilationX
    return Tile(
      image: rest / phasesY, row: row, column: column,
      rows: max(0, min(outputs, (outputHeight &- row &+ dilationY &- 1) / dilationY)),
      columns: max(0, min(outputs, (outputWidth &- column &+ dilationX &- 1) / dilationX)))
  }
}
