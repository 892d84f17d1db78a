/// Command lines that the help of a command ends with.
func examples(_ lines: String...) -> String {
  "Examples:\n" + lines.map { "  engine-bench" + ($0.isEmpty ? "" : " \($0)") }.joined(separator: "\n")
}
