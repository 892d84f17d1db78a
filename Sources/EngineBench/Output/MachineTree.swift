import Tessera

/// A machine as a tree of packages, NUMA nodes and caches: the cores below each, who works there and, of a plan, on which
/// images. Level 2 caches are shown where several cores share one, and of small machines.
enum MachineTree {
  private struct Level {
    let name: String
    let number: (Machine.Core) -> Int
  }

  /// - Parameter batch: images of a plan; nil: none.
  static func text(_ machine: Machine, workers: Int, batch: Int?) -> String {
    var levels = [
      Level(name: "package") { $0.package }, Level(name: "NUMA node") { $0.numaNode },
      Level(name: "L3") { $0.level3 },
    ]
    let level2Count = Set(machine.cores.map(\.level2)).count
    if machine.cores.count <= 16 || level2Count < machine.cores.count && level2Count <= 64 {
      levels.append(Level(name: "L2") { $0.level2 })
    }
    var table = TextTable(
      header: ["machine", "cores", "processors", "workers"] + (batch == nil ? [] : ["images"]))

    /// A row for each group of cores that are below one object of a level, and those below it.
    func add(_ cores: Range<Int>, _ depth: Int) {
      guard depth < levels.count else { return }
      let level = levels[depth]
      var rest = cores
      while let first = rest.first {
        let number = level.number(machine.cores[first])
        let count = rest.prefix { level.number(machine.cores[$0]) == number }.count
        let group = first..<first + count
        rest = group.upperBound..<rest.upperBound
        // Workers without a core of their own are counted with the last.
        let next =
          group.upperBound == machine.cores.count
          ? max(first, workers) : min(workers, group.upperBound)
        var row = [
          String(repeating: "  ", count: depth) + "\(level.name) \(number)",
          ranges(group.map { machine.cores[$0].index }),
          "\(group.reduce(0) { $0 + machine.cores[$1].processorCount })",
          first < next ? ranges(Array(first..<next)) : "-",
        ]
        if let batch {
          func image(_ worker: Int) -> String {
            Format.fixed(Double(batch * worker) / Double(workers), 2)
          }
          row.append(first < next ? "\(image(first))-\(image(next))" : "-")
        }
        table.add(row)
        add(group, depth + 1)
      }
    }
    add(machine.cores.indices, 0)
    return table.text
  }

  /// Ascending numbers as in "0-7 16", cut to 24 characters.
  private static func ranges(_ numbers: [Int]) -> String {
    var parts: [ClosedRange<Int>] = []
    for number in numbers {
      if let part = parts.last, part.upperBound + 1 >= number {
        parts[parts.count - 1] = part.lowerBound...number
      } else {
        parts.append(number...number)
      }
    }
    let text = parts.map {
      $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound)-\($0.upperBound)"
    }
    .joined(separator: " ")
    return text.count <= 24 ? text : text.prefix(20) + " ..."
  }
}
