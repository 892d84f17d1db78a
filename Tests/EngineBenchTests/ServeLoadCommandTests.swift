import Foundation
import Testing

@Suite(.serialized) struct ServeLoadCommandTests {
  /// The same requests twice: alone, and beside a neighbour.
  @Test func aNeighbourGetsTheSameRequests() throws {
    let result = try engineBench(
      "serve-load", "digits_cnn", "--rate", "200", "--clients", "3", "--duration", "0.5", "--seed", "7",
      "--noisy-neighbour", "--neighbour-threads", "1", "--format", "json")
    #expect(result.status == 0, "\(result.errors)")
    let records = try result.records("serve_load")
    #expect(records.map { $0["neighbour"] as? Bool } == [false, true])
    #expect(records.map { $0["neighbour_threads"] as? Int } == [0, 1])
    for record in records {
      let requests = try #require(record["requests"] as? Int)
      // A Poisson process of 100 on average: 14 standard deviations.
      #expect((1...240).contains(requests))
      #expect(requests == records[0]["requests"] as? Int)
      #expect(try #require(record["completed"] as? Int) + #require(record["unserved"] as? Int) == requests)
      #expect(try #require(record["late"] as? Int) + #require(record["unserved"] as? Int) == record["missed"] as? Int)
      let latencies = try ["p50_ms", "p90_ms", "p99_ms", "p999_ms", "max_ms"].map {
        try #require(record[$0] as? Double)
      }
      #expect(latencies == latencies.sorted() && latencies[0] > 0)
      #expect(try #require(record["service_p50_ms"] as? Double) <= latencies[4])
    }
    let alone = try engineBench(
      "network", "digits_cnn", "--batch", "1", "--duration", "0.01", "--seed", "7", "--format", "json")
    #expect(try alone.records("network").first?["checksum"] as? String == records[0]["checksum"] as? String)
  }

  /// More than one thread can do: what waits counts, and what is never begun is missed.
  @Test func requestsThatWaitAreCounted() throws {
    let result = try engineBench(
      "serve-load", "cifar_cnn", "--batch", "16", "--rate", "20000", "--clients", "1", "--duration", "0.2",
      "--deadline", "50", "--format", "json")
    #expect(result.status == 0, "\(result.errors)")
    let record = try #require(try result.records("serve_load").first)
    #expect(try #require(record["unserved"] as? Int) > 0)
    // The first request waits for nobody; under a sanitizer there may be no other.
    if try #require(record["completed"] as? Int) > 1 {
      #expect(try #require(record["p99_ms"] as? Double) > #require(record["service_p99_ms"] as? Double))
      #expect(try #require(record["wait_p99_ms"] as? Double) > 0)
    }
    #expect(try #require(record["missed_percent"] as? Double) > 50)
    #expect(record["offered_per_second"] as? Double == 20000)
  }

  @Test func itFitsATerminal() throws {
    let result = try engineBench("serve-load", "digits_cnn", "--clients", "2", "--duration", "0.2", "--noisy-neighbour")
    #expect(result.status == 0, "\(result.errors)")
    #expect(result.lines.contains { $0.hasPrefix("none ") } && result.lines.last?.contains("thread") == true)
    #expect(result.lines.allSatisfy { $0.count <= 80 })
  }

  @Test func whatIsWrongIsSaid() throws {
    for arguments in [
      ["--rate", "0"], ["--clients", "0"], ["--duration", "0"], ["--deadline", "0"], ["--batch", "0"],
      ["--neighbour-threads", "1"],
    ] {
      let result = try engineBench(arguments: ["serve-load", "digits_cnn"] + arguments)
      #expect(result.status == 64 && result.errors.contains("\(arguments[0]): expected"), "\(result.errors)")
    }
  }
}
