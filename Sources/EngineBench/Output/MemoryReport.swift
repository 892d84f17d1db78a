import Tessera

/// What a program takes, as tables show it.
enum MemoryReport {
  /// One line.
  static func summary(_ memory: MemoryUse) -> String {
    "planned \(TopologyReport.size(memory.byteCount)): arena \(TopologyReport.size(memory.arenaByteCount)), prepared weights "
      + TopologyReport.size(memory.preparedByteCount)
  }

  /// Every part, and what is largest.
  static func text(_ memory: MemoryUse) -> String {
    var parts = TextTable(header: ["part", "size"])
    for (name, byteCount) in [
      ("weights", memory.weightByteCount), ("optimizer state", memory.optimizerByteCount),
      ("statistics", memory.statisticByteCount), ("constants", memory.constantByteCount),
      ("prepared weights", memory.preparedByteCount), ("arena", memory.arenaByteCount),
      ("alive at once in it", memory.liveByteCount), ("scratch", memory.scratchByteCount),
      ("outputs", memory.outputByteCount), ("planned", memory.byteCount),
      ("inputs (the host's)", memory.inputByteCount),
    ] {
      parts.add([name, TopologyReport.size(byteCount)])
    }
    var largest = TextTable(header: ["largest at the peak", "size"])
    for contributor in memory.largest.prefix(10) {
      largest.add([String(contributor.name.suffix(60)), TopologyReport.size(contributor.byteCount)])
    }
    return parts.text + "\n\n" + largest.text
  }
}
