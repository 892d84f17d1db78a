/// The parts of operation.pass.algorithm.type.isa.tile, of which all but the operation may be missing.
package struct KernelName {
  package let algorithm: String
  package let tile: String?

  package init(_ name: String) {
    let parts = name.split(separator: ".")
    let isTiled = parts.last?.wholeMatch(of: /\d+x\d+/) != nil
    tile = isTiled ? parts.last.map(String.init) : nil
    // What stands before the element type.
    let type = parts.firstIndex { $0.wholeMatch(of: /[fiub]\d+/) != nil } ?? parts.count
    let isPacking = parts.first == "pack"
    algorithm = isPacking ? "pack" : type >= 1 ? String(parts[type - 1]) : name
  }
}
