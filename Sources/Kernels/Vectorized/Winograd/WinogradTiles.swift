import TesseraKernelContract

/// How an image is cut into tiles of 4 x 4 outputs, whose 6 x 6 inputs overlap by two.
///
/// A dilation of d makes d independent images in each direction, of every d-th row or column; each has tiles of its
/// own. Output row p and tap r meet at input row p + offsetY + r dilationY, with the tap rotated for backward-data.
struct WinogradTiles: Sendable {
  let images: Int
  let inputHeight: Int, inputWidth: Int
  let outputHeight: Int, outputWidth: Int
  let dilationY: Int, dilationX: Int
  let offsetY: Int, offsetX: Int

  init(forward g: ConvolutionGeometry) {
    (images, inputHeight, inputWidth, outputHeight, outputWidth) = (g.n, g.h, g.w, g.p, g.q)
    (dilationY, dilationX, offsetY, offsetX) = (g.dilationY, g.dilationX, -g.padTop, -g.padLeft)
  }

  /// Tap r of dx row h meets dy row h + pad - r d: counted from the last tap back, h + pad - 2 d + r' d.
  init(backwardData g: ConvolutionGeometry) {
    (images, inputHeight, inputWidth, outputHeight, outputWidth) = (g.n, g.p, g.q, g.h, g.w)
    (dilationY, dilationX) = (g.dilationY, g.dilationX)
    (offsetY, offsetX) = (g.padTop - 2 * g.dilationY, g.padLeft - 2 * g.dilationX)
  }

  private var phasesY: Int { min(dilationY, outputHeight) }
  private var phasesX: Int { min(dilationX, outputWidth) }
  private var tilesY: Int { ceilingQuotient(ceilingQuotient(outputHeight, dilationY), Winograd.outputs) }
  private var tilesX: Int { ceilingQuotient(ceilingQuotient(outputWidth, dilationX), Winograd.outputs) }
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
    let row = py &+ 4 &* ty &* dilationY
    let column = px &+ 4 &* tx &* dilationX
    return Tile(
      image: rest / phasesY, row: row, column: column,
      rows: max(0, min(4, (outputHeight &- row &+ dilationY &- 1) / dilationY)),
      columns: max(0, min(4, (outputWidth &- column &+ dilationX &- 1) / dilationX)))
  }
}
