import Foundation
import TesseraFormats
import Testing

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Training that is interrupted, in whatever way, and goes on in another process.
@Suite(.serialized) struct CheckpointCommandTests {
  /// Sanitizers make training a hundred times slower.
  private static let isShort = ProcessInfo.processInfo.environment["TESSERA_TESTS"] == "short"

  private func withFolder(_ body: (String) throws -> Void) throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("engine-bench-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    try body(folder.path)
  }

  private func train(_ arguments: String...) throws -> CommandResult {
    let result = try engineBench(arguments: ["train", "--epochs", "2"] + arguments)
    #expect(result.status == 0, "\(result.errors)")
    return result
  }

  @Test(arguments: [["--optimizer", "adam"], ["--micro-batch", "25", "--clip-norm", "1", "--crop", "1"]])
  func sixStepsAreThreeAndThree(_ options: [String]) throws {
    try withFolder { folder in
      func train(_ arguments: String...) throws -> CommandResult {
        let result = try engineBench(arguments: ["train", "--epochs", "2", "--seed", "4"] + options + arguments)
        #expect(result.status == 0, "\(result.errors)")
        return result
      }
      func weights(_ name: String) throws -> Data { try Data(contentsOf: URL(fileURLWithPath: "\(folder)/\(name)")) }
      let whole = try train("--steps", "6", "--workers", "2", "--save", "\(folder)/whole")
      #expect(whole.lines.contains("stopped after step 6"))
      _ = try train("--steps", "3", "--workers", "1", "--checkpoints", "\(folder)/c", "--save", "\(folder)/half")
      let rest = try train(
        "--steps", "6", "--workers", "3", "--checkpoints", "\(folder)/c", "--resume", "--save", "\(folder)/rest")
      #expect(rest.lines.contains("resumed at epoch 1, step 3"))
      #expect(rest.lines.last == whole.lines.last)
      #expect(try weights("rest") == weights("whole"))
      #expect(try weights("half") != weights("whole"))
      let again = try train(
        "--steps", "6", "--resume-from", CheckpointFolder(path: "\(folder)/c").file(ofStep: 3), "--save",
        "\(folder)/again")
      #expect(again.lines.last == whole.lines.last)
      #expect(try weights("again") == weights("whole"))
    }
  }

  /// Killed at many moments, while it computes or writes, there is always a whole checkpoint, and the end is the same.
  @Test func killsLeaveTheLastCheckpoint() throws {
    try withFolder { folder in
      let path = "\(folder)/checkpoints"
      let arguments = [
        "train", "--epochs", "3", "--batch", "100", "--checkpoints", path, "--checkpoint-every", "1", "--resume",
      ]
      var steps: [Int] = []
      for attempt in 0..<(Self.isShort ? 2 : 12) {
        let process = try startEngineBench(arguments)
        // From its first checkpoint on, which takes it some tenths of a second, a little later each time.
        let before = steps.last ?? 0
        for _ in 0..<60_000 {
          let names = (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
          if names.contains(where: { (Self.step($0) ?? 0) > before }) || !process.isRunning { break }
          usleep(500)
        }
        usleep(UInt32(attempt) * 1700)
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
        let newest = try #require(try CheckpointFolder(path: path).newest())
        #expect(newest.damaged.isEmpty)
        #expect(newest.checkpoint.state["step"] == "\(newest.step)")
        #expect(newest.step >= before)
        steps.append(newest.step)
        // A killed run may not have come to remove the oldest.
        #expect(try CheckpointFolder(path: path).steps().count <= 4)
      }
      let resumed = try engineBench(arguments: arguments + ["--save", "\(folder)/resumed"])
      #expect(resumed.status == 0, "\(resumed.errors)")
      let whole = try engineBench("train", "--epochs", "3", "--batch", "100", "--save", "\(folder)/whole")
      #expect(whole.lines.last == resumed.lines.last)
      #expect(
        try Data(contentsOf: URL(fileURLWithPath: "\(folder)/resumed"))
          == Data(contentsOf: URL(fileURLWithPath: "\(folder)/whole")))
    }
  }

  private static func step(_ name: String) -> Int? {
    guard name.hasPrefix("checkpoint-"), name.hasSuffix(".safetensors") else { return nil }
    return Int(name.dropFirst(11).dropLast(12))
  }

  @Test func validationPatienceAndLogs() throws {
    try withFolder { folder in
      let result = try engineBench(
        "train", "--epochs", Self.isShort ? "2" : "40", "--validation", "0.2", "--patience", "1", "--learning-rate",
        "1e-9", "--schedule",
        "constant", "--log", "\(folder)/log.csv", "--label-smoothing", "0.1", "--optimizer", "adamw", "--flip",
        "--mean",
        "0.3", "--deviation", "0.4")
      #expect(result.status == 0, "\(result.errors)")
      #expect(result.output.contains("1150 images to learn from"))
      #expect(result.lines.contains { $0.hasPrefix("  validation  loss ") && $0.contains("top-5") })
      #expect(result.lines.allSatisfy { $0.count <= 80 })
      let lines = try String(contentsOfFile: "\(folder)/log.csv", encoding: .utf8).split(separator: "\n")
      #expect(lines.count == 1 + result.lines.count { $0.hasPrefix("epoch ") })
    }
  }

  @Test func weightsAreReadWhereTheyFit() throws {
    try withFolder { folder in
      _ = try train("--steps", "2", "--save", "\(folder)/w.safetensors")
      func network(_ arguments: String...) throws -> CommandResult {
        try engineBench(
          arguments: ["network", "digits_cnn", "--batch", "2", "--duration", "0.01", "--format", "json"] + arguments)
      }
      func checksum(_ result: CommandResult) throws -> String? {
        #expect(result.status == 0, "\(result.errors)")
        return try result.records("network")[0]["checksum"] as? String
      }
      let weights = ["--weights", "\(folder)/w.safetensors"]
      let trained = try checksum(network("--weights", "\(folder)/w.safetensors"))
      #expect(try trained != checksum(network()))
      #expect(try trained != checksum(network("--weights", "\(folder)/w.safetensors", "--except", "dense")))
      let other = try engineBench(arguments: ["network", "lenet5", "--duration", "0.01"] + weights)
      #expect(other.status == 65)
      for fragment in ["w.safetensors", "missing: ", "unexpected: conv2d", "the 10 parameters"] {
        #expect(other.errors.contains(fragment), "\(other.errors)")
      }
      let started = try train("--steps", "1", "--weights", "\(folder)/w.safetensors")
      #expect(started.lines.contains("stopped after step 1"))
    }
  }

  @Test func mistakesAreSaid() throws {
    func expectFailure(_ status: Int32, _ fragment: String, _ arguments: String...) throws {
      let result = try engineBench(arguments: ["train"] + arguments)
      #expect(result.status == status)
      #expect(result.errors.contains(fragment), "\(result.errors)")
    }
    try expectFailure(64, "--checkpoints: expected a folder", "--resume")
    try expectFailure(64, "--checkpoint-every: expected 1 or more", "--checkpoints", "x", "--checkpoint-every", "0")
    try expectFailure(64, "--keep: expected 1 or more, found 0", "--checkpoints", "x", "--keep", "0")
    try expectFailure(64, "found both", "--checkpoints", "x", "--resume", "--resume-from", "y")
    try expectFailure(64, "--patience: expected --validation", "--patience", "2")
    try expectFailure(64, "--validation: expected above 0", "--validation", "1")
    try expectFailure(64, "--momentum: expected 0 or more, below 1", "--momentum", "1")
    try expectFailure(64, "--clip-norm: expected a number above 0", "--clip-norm", "0")
    try expectFailure(64, "--label-smoothing: expected 0 to 1", "--label-smoothing", "2")
    try expectFailure(64, "--micro-batch: expected 1", "--micro-batch", "0")
    try expectFailure(64, "separated by commas", "--mean", "0.5,,1")
    try expectFailure(64, "one-cycle", "--schedule", "circle")
    try expectFailure(64, "1 finite numbers", "--mean", "0.5,0.5")
    try expectFailure(64, "crop padding", "--crop", "9")
    try expectFailure(66, "/no/such/weights", "--weights", "/no/such/weights")
    try expectFailure(66, "/no/such/file", "--resume-from", "/no/such/file")
    try expectFailure(65, "/no/such/folder", "--checkpoints", "/no/such/folder/c")
    try expectFailure(65, "/no/such/log", "--log", "/no/such/log")
    try withFolder { folder in
      _ = try train("--steps", "1", "--checkpoints", folder)
      let file = try CheckpointFolder(path: folder).file(ofStep: 1)
      try expectFailure(65, "batches of 10", "--resume-from", file, "--batch", "10")
      try expectFailure(65, "missing: conv2d.bias.first_moment", "--resume-from", file, "--optimizer", "adam")
      var bytes = try Data(contentsOf: URL(fileURLWithPath: file))
      bytes[bytes.count / 2] ^= 4
      try bytes.write(to: URL(fileURLWithPath: file))
      try expectFailure(65, "undamaged data", "--resume-from", file)
      try expectFailure(65, "undamaged data", "--checkpoints", folder, "--resume")
    }
  }
}
