import Foundation
import Testing

/// What commands say of themselves: help with examples, completion, the manual page.
@Suite struct HelpTests {
  private struct Dump: Decodable {
    struct Command: Decodable {
      let commandName: String
      let abstract: String?
      let discussion: String?
      let subcommands: [Command]?
      let arguments: [Argument]?
    }

    struct Argument: Decodable {
      struct Name: Decodable {
        let kind: String
        let name: String
      }

      let names: [Name]?
    }

    let command: Command
  }

  private func commands() throws -> [Dump.Command] {
    let result = try engineBench("--experimental-dump-help")
    #expect(result.status == 0)
    let dump = try JSONDecoder().decode(Dump.self, from: Data(result.output.utf8))
    return try #require(dump.command.subcommands).filter { $0.commandName != "help" }
  }

  @Test func everyCommandHasAnExample() throws {
    for command in try commands() {
      // The main job needs no name.
      let beginning = command.commandName == "run" ? "  engine-bench" : "  engine-bench \(command.commandName)"
      let lines = (command.discussion ?? "").split(separator: "\n")
      let examples = lines.drop { !$0.hasPrefix("Examples:") }.dropFirst()
      #expect(!examples.isEmpty, "\(command.commandName)")
      #expect(examples.allSatisfy { $0.hasPrefix(beginning) }, "\(command.commandName)")
      let help = try engineBench("help", command.commandName)
      #expect(help.status == 0)
      #expect(help.lines.contains { $0.hasPrefix("  engine-bench") }, "\(help.output)")
    }
  }

  @Test(arguments: ["bash", "zsh", "fish"]) func shellsComplete(shell: String) throws {
    let result = try engineBench("--generate-completion-script", shell)
    #expect(result.status == 0)
    for word in ["compare", "fail-over", "time-limit"] { #expect(result.output.contains(word), "\(word)") }
  }

  /// `make manual` writes it.
  @Test func theManualPageIsCurrent() throws {
    let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().appendingPathComponent("Docs/engine-bench.1")
    // Hyphens are escaped in it.
    let page = try String(contentsOf: file, encoding: .utf8).replacing("\\-", with: "-")
    for command in try commands() {
      #expect(page.contains(command.commandName), "\(command.commandName)")
      for name in (command.arguments ?? []).flatMap({ $0.names ?? [] }) where name.kind == "long" {
        #expect(page.contains("-\(name.name)"), "\(command.commandName) --\(name.name)")
      }
    }
  }

  @Test func theVersionIsPrinted() throws {
    let result = try engineBench("--version")
    #expect(result.status == 0 && result.lines.first?.contains(".") == true)
  }
}
