import Foundation
import Tessera
import TesseraKernels

/// Where and how results came about: the first line of every file of them.
struct EnvironmentRecord: Record {
  static let recordName = "environment"

  let processor: String
  let architecture: String
  let packages: Int
  let numaNodes: Int
  /// Last-level caches, and level 2 caches, above the usable cores.
  let level3Groups: Int
  let level2Groups: Int
  let level1Bytes: Int
  let level2Bytes: Int
  let level3Bytes: Int
  /// That this process may use, of so many.
  let cores: Int
  let machineCores: Int
  let threadsPerCore: Int
  let memoryBytes: Int
  /// Processors that the process may use, as in "0-3,8".
  @Nullable private(set) var affinity: String?
  /// Processors' worth of time.
  @Nullable private(set) var quota: Double?
  let isa: String
  let supportedSets: [String]
  let workers: Int
  let kernel: String
  @Nullable private(set) var governor: String?
  let version: String
  /// Of the checkout that the binary lies in.
  @Nullable private(set) var commit: String?
  let date: String
  let command: [String]
  /// Why figures may be worse than this machine could do.
  let warnings: [String]

  enum CodingKeys: String, CodingKey {
    case processor, architecture, packages, cores, affinity, quota, isa, workers, kernel, governor, version, commit,
      date
    case command, warnings
    case numaNodes = "numa_nodes"
    case level3Groups = "l3_groups"
    case level2Groups = "l2_groups"
    case level1Bytes = "l1_bytes"
    case level2Bytes = "l2_bytes"
    case level3Bytes = "l3_bytes"
    case machineCores = "machine_cores"
    case threadsPerCore = "threads_per_core"
    case memoryBytes = "memory_bytes"
    case supportedSets = "supported_isas"
  }

  init(_ machine: Machine = .current, workers: Int, instructionSet: InstructionSet, warnings: [String]) {
    processor = machine.processorName
    architecture = System.architecture
    packages = Set(machine.cores.map(\.package)).count
    numaNodes = Set(machine.cores.map(\.numaNode)).count
    level3Groups = Set(machine.cores.map(\.level3)).count
    level2Groups = Set(machine.cores.map(\.level2)).count
    level1Bytes = machine.caches.level1Bytes
    level2Bytes = machine.caches.level2Bytes
    level3Bytes = machine.caches.level3Bytes
    cores = Set(machine.cores.map(\.index)).count
    machineCores = machine.machineCoreCount
    threadsPerCore = machine.cores.map(\.processorCount).max() ?? 1
    memoryBytes = machine.memoryBytes
    affinity = System.affinity
    quota = machine.quota
    isa = instructionSet.name
    supportedSets = KernelCatalogue.supported.map(\.name)
    self.workers = workers
    kernel = System.kernel
    governor = machine.cores.first.flatMap { System.governor(ofProcessor: $0.processor) }
    version = EngineBench.version
    commit = SourceRevision.ofThisBinary
    date = Date.now.formatted(.iso8601)
    command = CommandLine.arguments.dropFirst().map { $0 }
    self.warnings = warnings
  }
}
