import Foundation
import TesseraVerification

/// Sweeps are cut short where the environment asks for it: under sanitizers everything takes ten times as long.
let isShort = ProcessInfo.processInfo.environment["TESSERA_TESTS"] == "short"

extension Problems {
  static let all = all(isShort ? .short : .full)
  static let convolutions = convolutions(isShort ? .short : .full)
}
