import Foundation

/// The commit of the sources around this binary.
///
/// A build doesn't tell a program its commit. What git says of the checkout that the binary lies in is as true as the build
/// is new; "-dirty" is behind a commit whose files were changed since.
enum SourceRevision {
  /// Nil where the binary lies in no checkout, or there is no git.
  static let ofThisBinary: String? = Bundle.main.executableURL.flatMap { of($0.resolvingSymlinksInPath()) }

  private static func of(_ binary: URL) -> String? {
    let git = Process()
    let output = Pipe()
    git.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    git.arguments = [
      "git", "-C", binary.deletingLastPathComponent().path, "describe", "--always", "--dirty", "--abbrev=40",
      "--exclude=*",
    ]
    git.standardOutput = output
    git.standardError = FileHandle.nullDevice
    guard (try? git.run()) != nil else { return nil }
    let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    git.waitUntilExit()
    let revision = text.trimmingCharacters(in: .whitespacesAndNewlines)
    return git.terminationStatus == 0 && !revision.isEmpty ? revision : nil
  }
}
