import ArgumentParser
import Tessera
import TesseraKernels
import TesseraRuntime

struct ServeLoadCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "serve-load", abstract: "Latency of a network under a load that doesn't wait for it.",
    discussion: """
      Requests arrive as a seeded Poisson process, whether or not those before are done, and client threads serve them in that \
      order, all by one session. Latency counts from the moment at which a request was due; wait is the part before a client \
      took it. Requests done later than the deadline are missed, as are those that no client had begun when the last one's \
      deadline had passed: their latency is how long they had waited by then. With a noisy neighbour the same requests are \
      offered twice, alone and beside threads that multiply and stream through memory.
      """
        + "\n\n" + examples("serve-load resnet50 --rate 100 --clients 4 --duration 10 --deadline 25 --noisy-neighbour"))

  @OptionGroup var argument: NetworkArgument

  @Option(
    help: "Requests a second (default: half of what the clients get done when each asks as soon as it has an answer).")
  var rate: Double?

  @Option(help: "Threads that serve requests.")
  var clients = 4

  @Option(help: "Seconds during which requests arrive.")
  var duration = 5.0

  @Option(help: ArgumentHelp("What a request may take.", valueName: "ms"))
  var deadline = 100.0

  @Option(help: "Images a request.")
  var batch = 1

  @Flag(help: "Offer the same load again beside a noisy neighbour.")
  var noisyNeighbour = false

  @Option(help: "Threads of the neighbour (default: one for every two usable cores).")
  var neighbourThreads: Int?

  @OptionGroup var random: SeedOption

  @OptionGroup(title: "Machine") var machine: MachineOptions

  @OptionGroup var precision: NumericsOption

  @OptionGroup var saved: ChoicesOption

  @OptionGroup(title: "Output") var output: OutputOptions

  func validate() throws {
    if let rate, !(rate > 0 && rate <= 1e6) {
      throw ValidationError("--rate: expected requests a second above 0, at most 1000000, found \(rate)")
    }
    try expectOption("--clients", clients, in: 1...1024)
    guard duration > 0, duration <= 86_400 else {
      throw ValidationError("--duration: expected seconds above 0, at most a day, found \(duration)")
    }
    guard deadline > 0, deadline <= 86_400_000 else {
      throw ValidationError("--deadline: expected milliseconds above 0, at most a day, found \(deadline)")
    }
    try expectOption("--batch", batch, in: batchSizes)
    if let neighbourThreads {
      guard noisyNeighbour else {
        throw ValidationError("--neighbour-threads: expected --noisy-neighbour with it, found none")
      }
      try expectOption("--neighbour-threads", neighbourThreads, in: 1...Session.maximumWorkers)
    }
  }

  func run() throws {
    let source = try argument.source()
    let options = try machine.programOptions(numerics: precision.numerics, choices: saved.choices())
    let isa = try machine.resolvedInstructionSet()
    let server = try NetworkBenchmark(
      source, batch: batch, mode: .inference, seed: random.seed, workers: machine.resolvedWorkers(), options: options)
    try output.write(machine, measures: true) { writer in
      let checksum = try server.checksum()
      let rate = try self.rate ?? 0.5 * server.runsPerSecond(clients: clients, seconds: 1)
      let load = OfferedLoad(rate: rate, seconds: duration, deadline: deadline * 1e-3, seed: random.seed)
      try writer.text(
        "\(source.name), batch \(batch), \(clients) clients, \(server.workers) workers, "
          + "\(Format.fixed(rate, 1)) requests/s")
      try writer.text(ServeLoadLine.header)
      var neighbours = [0]
      if noisyNeighbour { neighbours.append(neighbourThreads ?? max(1, Machine.current.cores.count / 2)) }
      for threads in neighbours {
        let outcome = try NoisyNeighbour.beside(threads: threads, isa) {
          try server.serve(load, clients: clients, checksum: checksum)
        }
        let result = ServeLoadResult(
          network: source.name, batch: batch, isa: isa.name, workers: server.workers, clients: clients,
          rate: rate, neighbourThreads: threads, seed: random.seed, load, outcome, checksum: checksum)
        try writer.write(result, text: ServeLoadLine.text(result))
        try Interruption.check()
      }
    }
  }
}

/// One load: one line of the report.
struct ServeLoadResult: Record {
  static let recordName = "serve_load"
  let network: String
  let batch: Int
  let isa: String
  let workers: Int
  let clients: Int
  let offeredPerSecond: Double
  let neighbour: Bool
  let neighbourThreads: Int
  let seed: UInt64
  let durationSeconds: Double
  let deadlineMs: Double
  let requests: Int
  let completed: Int
  let late: Int
  let unserved: Int
  let missed: Int
  let missedPercent: Double
  let completedPerSecond: Double
  /// Of requests done in time.
  let goodPerSecond: Double
  let p50Ms: Double
  let p90Ms: Double
  let p99Ms: Double
  let p999Ms: Double
  let maximumMs: Double
  let waitP50Ms: Double
  let waitP99Ms: Double
  let serviceP50Ms: Double
  let serviceP99Ms: Double
  /// As a network's.
  let latencies: [[Double]]
  let checksum: String

  init(
    network: String, batch: Int, isa: String, workers: Int, clients: Int, rate: Double, neighbourThreads: Int,
    seed: UInt64, _ load: OfferedLoad, _ outcome: OfferedLoad.Outcome, checksum: String
  ) {
    (self.network, self.batch, self.isa, self.workers) = (network, batch, isa, workers)
    (self.clients, offeredPerSecond, self.seed, self.checksum) = (clients, rate, seed, checksum)
    (neighbour, self.neighbourThreads) = (neighbourThreads > 0, neighbourThreads)
    (durationSeconds, deadlineMs) = (load.seconds, load.deadline * 1e3)
    requests = outcome.completed + outcome.unserved
    (completed, late, unserved, missed) = (outcome.completed, outcome.late, outcome.unserved, outcome.missed)
    missedPercent = requests > 0 ? 100 * Double(outcome.missed) / Double(requests) : 0
    let seconds = max(load.seconds, outcome.seconds)
    completedPerSecond = Double(outcome.completed) / seconds
    goodPerSecond = Double(outcome.completed - outcome.late) / seconds
    (p50Ms, p90Ms) = (
      outcome.latencies.milliseconds(percentile: 50), outcome.latencies.milliseconds(percentile: 90)
    )
    (p99Ms, p999Ms) = (
      outcome.latencies.milliseconds(percentile: 99), outcome.latencies.milliseconds(percentile: 99.9)
    )
    maximumMs = outcome.latencies.milliseconds(percentile: 100)
    (waitP50Ms, waitP99Ms) = (
      outcome.waits.milliseconds(percentile: 50), outcome.waits.milliseconds(percentile: 99)
    )
    (serviceP50Ms, serviceP99Ms) = (
      outcome.services.milliseconds(percentile: 50), outcome.services.milliseconds(percentile: 99)
    )
    latencies = outcome.latencies.milliseconds
  }

  enum CodingKeys: String, CodingKey {
    case network, batch, isa, workers, clients, neighbour, seed, requests, completed, late, unserved, missed, checksum
    case offeredPerSecond = "offered_per_second"
    case neighbourThreads = "neighbour_threads"
    case durationSeconds = "duration_seconds"
    case deadlineMs = "deadline_ms"
    case missedPercent = "missed_percent"
    case completedPerSecond = "completed_per_second"
    case goodPerSecond = "good_per_second"
    case p50Ms = "p50_ms"
    case p90Ms = "p90_ms"
    case p99Ms = "p99_ms"
    case p999Ms = "p999_ms"
    case maximumMs = "max_ms"
    case waitP50Ms = "wait_p50_ms"
    case waitP99Ms = "wait_p99_ms"
    case latencies = "latency_histogram"
    case serviceP50Ms = "service_p50_ms"
    case serviceP99Ms = "service_p99_ms"
  }
}

/// One load in at most 80 columns.
private enum ServeLoadLine {
  static let header =
    "latency in ms from the moment at which a request was due\n"
    + line("neighbour", "done/s", "50 %", "90 %", "99 %", "99.9 %", "longest", "wait 99 %", "missed")

  static func text(_ result: ServeLoadResult) -> String {
    func ms(_ value: Double) -> String { Format.milliseconds(value * 1e-3) }
    return line(
      result.neighbour ? Format.count(result.neighbourThreads, "thread") : "none",
      Format.fixed(result.completedPerSecond, 1), ms(result.p50Ms), ms(result.p90Ms), ms(result.p99Ms),
      ms(result.p999Ms), ms(result.maximumMs), ms(result.waitP99Ms), "\(Format.fixed(result.missedPercent, 1)) %")
  }

  private static func line(_ name: String, _ cells: String...) -> String {
    let widths = [9, 8, 8, 8, 8, 9, 10, 9]
    return Format.left(name, 10) + zip(cells, widths).map { Format.right($0, $1) }.joined()
  }
}
