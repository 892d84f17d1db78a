import TesseraGraph

/// What hwloc takes as the description of a machine that needn't exist, as in `package:2 numa:4 l3:4 core:8 pu:2`: levels
/// from the outside in, each with its number in every object of the level before. Attributes follow in parentheses, as in
/// `l3:4(size=33554432)`; memory beside a level stands in brackets, as `lstopo --of synthetic` writes it.
enum SyntheticTopology {
  static let example = "package:2 numa:4 l3:4 core:8 pu:2"
  /// More than any machine has; a larger one would take minutes to build, and is a mistake.
  static let maximumProcessors = 1 << 14

  /// hwloc only says that it doesn't understand a description: what can be said more precisely is said here.
  /// - Throws: ``TesseraError/Code/invalidAttribute`` that names the level at fault.
  static func check(_ text: String) throws(TesseraError) {
    let levels = try levels(text)
    guard !levels.isEmpty else {
      throw error(expected: "levels as in \"\(example)\"", found: "\"\(text)\"")
    }
    var processors = 1
    for level in levels where !level.hasPrefix("[") {
      let fields = level.prefix { $0 != "(" }.split(separator: ":", omittingEmptySubsequences: false)
      guard fields.count == 2, !fields[0].isEmpty, let count = Int(fields[1]), count >= 1 else {
        throw error(expected: "TYPE:COUNT with a count of 1 or more, as in \"core:8\"", found: "\"\(level)\"")
      }
      let (product, overflow) = processors.multipliedReportingOverflow(by: count)
      guard !overflow, product <= maximumProcessors else {
        throw error(expected: "at most \(maximumProcessors) processors in all", found: "more with \"\(level)\"")
      }
      processors = product
    }
  }

  /// Of a description whose levels look right and that hwloc refuses.
  static func refused(_ text: String) -> TesseraError {
    error(
      expected:
        "levels among package, numa, die, group, l5 to l1, core, pu, from the outside in and ending in pu, as in "
        + "\"\(example)\"", found: "\"\(text)\"")
  }

  private static func error(expected: String, found: String) -> TesseraError {
    TesseraError(.invalidAttribute, at: "synthetic topology", expected: expected, found: found)
  }

  /// Separated by spaces outside of parentheses and brackets.
  private static func levels(_ text: String) throws(TesseraError) -> [String] {
    var levels = [""]
    var open: [Character] = []
    for character in text {
      switch character {
      case "(": open.append(")")
      case "[": open.append("]")
      case ")", "]":
        guard open.popLast() == character else {
          throw error(expected: "parentheses in pairs", found: "\"\(text)\"")
        }
      case _ where character.isWhitespace && open.isEmpty:
        levels.append("")
        continue
      default: break
      }
      levels[levels.count - 1].append(character)
    }
    guard open.isEmpty else { throw error(expected: "parentheses in pairs", found: "\"\(text)\"") }
    return levels.filter { !$0.isEmpty }
  }
}
