import TesseraGraph

/// A tensor as rows, a row being what the last dimension counts.
extension TensorType {
  /// Elements of a row.
  var rowWidth: Int { shape.dimensions.last ?? 1 }
  var rowCount: Int { rowWidth == 0 ? 0 : shape.count / rowWidth }
  var rowByteCount: Int { rowWidth * element.byteCount }
}
