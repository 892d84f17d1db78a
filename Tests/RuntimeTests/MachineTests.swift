import Foundation
import Tessera
import TesseraKernels
import TesseraRuntime
import TesseraVerification
import Testing

/// A machine from any source, and what cuts it down.
@Suite struct MachineTests {
  @Test func syntheticCountsArePerParent() throws {
    let machine = try Machine(synthetic: "package:2 numa:4 l3:4 core:8 pu:2")
    #expect(machine.cores.count == 256)
    #expect(machine.machineCoreCount == 256)
    #expect(machine.defaultWorkerCount == 256)
    #expect(Set(machine.cores.map(\.package)).count == 2)
    #expect(Set(machine.cores.map(\.numaNode)) == Set(0..<8))
    #expect(Set(machine.cores.map(\.level3)).count == 32)
    #expect(machine.cores.allSatisfy { $0.processorCount == 2 })
    #expect(!machine.isThisSystem)
    // One worker a core unless asked.
    let threads = try Machine(synthetic: "package:2 numa:4 l3:4 core:8 pu:2", usesHardwareThreads: true)
    #expect(threads.cores.count == 512)
    #expect(Set(threads.cores.map(\.processor)).count == 512)
    #expect(threads.machineCoreCount == 256)
  }

  /// Neighbours in the list share the innermost cache first.
  @Test(arguments: ["core:8 pu:1", "package:2 l3:2 l2:2 core:4 pu:1", "numa:2 core:3 pu:2", "pu:4"])
  func neighboursShareCaches(description: String) throws {
    let cores = try Machine(synthetic: description).cores
    for keyPath in [\Machine.Core.level2, \.level3, \.numaNode, \.package] {
      let groups = cores.map { $0[keyPath: keyPath] }
      #expect(groups == groups.sorted())
    }
    #expect(Set(cores.map(\.processor)).count == cores.count)
  }

  @Test func cachesOfADescriptionAreRead() throws {
    let machine = try Machine(
      synthetic: "package:1 l3:1(size=50331648) l2:4(size=2097152) l1d:1(size=49152) core:1 pu:1")
    #expect(machine.caches.level3Bytes == 48 << 20)
    #expect(machine.caches.level2Bytes == 2 << 20)
    #expect(machine.caches.level1Bytes == 48 << 10)
  }

  /// Description and what the error has to name.
  static let badDescriptions: [(text: String, fragment: String)] = [
    ("", "levels as in"),
    ("   ", "levels as in"),
    ("nonsense", "\"nonsense\""),
    ("core", "\"core\""),
    ("core:x", "\"core:x\""),
    ("core:0 pu:1", "\"core:0\""),
    ("core:-3 pu:1", "\"core:-3\""),
    ("core:1000000 pu:2", "at most 16384"),
    ("core:99999999999999999999 pu:2", "\"core:99999999999999999999\""),
    ("socket:2 blob:3 pu:1", "levels among"),
    ("pu:2 core:3", "levels among"),
    ("core:2(size=3 pu:1", "parentheses"),
    ("core:2) pu:1", "parentheses"),
    ("core:2:3 pu:1", "\"core:2:3\""),
  ]

  @Test(arguments: badDescriptions)
  func badDescriptionsAreNamed(text: String, fragment: String) {
    do {
      _ = try Machine(synthetic: text)
      Issue.record("\"\(text)\" was taken")
    } catch {
      #expect(error.code == .invalidAttribute)
      #expect(error.description.contains(fragment), "\(error)")
    }
  }

  /// Whatever is in the text or the file, there is a machine or an error.
  @Test func damagedDescriptionsAndFilesNeverCrash() throws {
    var random = TestRandom(7)
    let description = Array("package:2 [numa(memory=1GB)] l3:4(size=33554432) core:8 pu:2")
    let xml = Array(Self.xml.utf8)
    for _ in 0..<(isShort ? 20 : 5000) {
      var text = description
      for _ in 0..<random.int(1...4) {
        text[random.int(0...text.count - 1)] = Character(Unicode.Scalar(UInt8(random.int(32...126))))
      }
      if let machine = try? Machine(synthetic: String(text)) { #expect(!machine.cores.isEmpty) }
      var bytes = xml
      for _ in 0..<random.int(1...6) { bytes[random.int(0...bytes.count - 1)] = UInt8(random.int(32...126)) }
      if random.int(0...3) == 0 { bytes.removeLast(random.int(1...bytes.count)) }
      try Self.withFile(bytes) { path in
        if let machine = try? Machine(xmlFile: path) { #expect(!machine.cores.isEmpty) }
      }
    }
  }

  @Test func xmlFilesAreRead() throws {
    try Self.withFile(Array(Self.xml.utf8)) { path in
      let machine = try Machine(xmlFile: path)
      #expect(machine.cores.map(\.processor) == [0, 2])
      #expect(machine.cores.map(\.processorCount) == [2, 2])
      #expect(machine.cores.map(\.level3) == [0, 0])
      #expect(machine.caches.level3Bytes == 16 << 20)
      #expect(machine.processorName == "Model 7")
      #expect(!machine.isThisSystem)
    }
  }

  @Test func badFilesAreNamed() throws {
    func expectError(_ path: String, _ fragment: String) {
      do {
        _ = try Machine(xmlFile: path)
        Issue.record("\(path) was taken")
      } catch {
        #expect(error.code == .invalidFile)
        #expect(error.description.contains(path) && error.description.contains(fragment), "\(error)")
      }
    }
    expectError("/no/such.xml", "readable")
    expectError("/", "readable")
    for text in ["", "no xml at all", "<?xml version=\"1.0\"?><topology", "<topology version=\"9.9\"></topology>"] {
      try Self.withFile(Array(text.utf8)) { expectError($0, "lstopo") }
    }
  }

  // MARK: Limits of this system

  @Test(arguments: [(1.5, 1), (0.2, 1), (1, 1), (2, 2), (2.99, 2), (3, 3), (100, 4), (1e300, 4)])
  func quotasRoundDownToAWorkerAtLeast(quota: Double, workers: Int) throws {
    #expect(CPUQuota.workers(quota, cores: 4) == workers)
  }

  // MARK: Files

  static func withFile(_ bytes: [UInt8], _ body: (String) throws -> Void) throws {
    let file = FileManager.default.temporaryDirectory.appendingPathComponent("machine-\(UUID().uuidString).xml")
    try Data(bytes).write(to: file)
    defer { try? FileManager.default.removeItem(at: file) }
    try body(file.path)
  }

  /// Two cores of two threads below one cache, in hwloc's format.
  static let xml = """
    <?xml version="1.0" encoding="UTF-8"?>
    <!DOCTYPE topology SYSTEM "hwloc2.dtd">
    <topology version="2.0">
      <object type="Machine" os_index="0" cpuset="0x0000000f" complete_cpuset="0x0000000f" allowed_cpuset="0x0000000f" \
    nodeset="0x00000001" complete_nodeset="0x00000001" allowed_nodeset="0x00000001" gp_index="1">
        <object type="Package" os_index="0" cpuset="0x0000000f" complete_cpuset="0x0000000f" nodeset="0x00000001" \
    complete_nodeset="0x00000001" gp_index="3">
          <info name="CPUModel" value="Model 7"/>
          <object type="NUMANode" os_index="0" cpuset="0x0000000f" complete_cpuset="0x0000000f" nodeset="0x00000001" \
    complete_nodeset="0x00000001" gp_index="9" local_memory="8589934592"/>
          <object type="L3Cache" os_index="0" cpuset="0x0000000f" complete_cpuset="0x0000000f" nodeset="0x00000001" \
    complete_nodeset="0x00000001" gp_index="8" cache_size="16777216" depth="3" cache_linesize="64" \
    cache_associativity="16" cache_type="0">
            <object type="Core" os_index="0" cpuset="0x00000003" complete_cpuset="0x00000003" nodeset="0x00000001" \
    complete_nodeset="0x00000001" gp_index="5">
              <object type="PU" os_index="0" cpuset="0x00000001" complete_cpuset="0x00000001" nodeset="0x00000001" \
    complete_nodeset="0x00000001" gp_index="10"/>
              <object type="PU" os_index="1" cpuset="0x00000002" complete_cpuset="0x00000002" nodeset="0x00000001" \
    complete_nodeset="0x00000001" gp_index="11"/>
            </object>
            <object type="Core" os_index="1" cpuset="0x0000000c" complete_cpuset="0x0000000c" nodeset="0x00000001" \
    complete_nodeset="0x00000001" gp_index="6">
              <object type="PU" os_index="2" cpuset="0x00000004" complete_cpuset="0x00000004" nodeset="0x00000001" \
    complete_nodeset="0x00000001" gp_index="12"/>
              <object type="PU" os_index="3" cpuset="0x00000008" complete_cpuset="0x00000008" nodeset="0x00000001" \
    complete_nodeset="0x00000001" gp_index="13"/>
            </object>
          </object>
        </object>
      </object>
    </topology>
    """
}
