@_exported public import TesseraGraph
@_exported public import TesseraRuntime
