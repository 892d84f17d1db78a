import Foundation
import Testing

/// `report`, with gnuplot where it is installed, and what is said where it isn't.
@Suite struct ReportCommandTests {
  private static let gnuplot = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
    .map { "\($0)/gnuplot" }.first { FileManager.default.isExecutableFile(atPath: $0) }

  private func withFolder(_ body: (String) throws -> Void) throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("report-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    try body(folder.path)
  }

  /// A line of each kind, with what HTML and gnuplot would take for their own.
  private static let results: [String] = [
    #"{"record":"environment","schema_version":1,"processor":"A <b>chip</b>","cores":2,"machine_cores":4,"version":"1","#
      + #""command":["layers"],"warnings":["others & \"more\""],"date":"today","isa":"avx2","l1_bytes":32768,"quota":null}"#,
    #"{"record":"peak","schema_version":1,"measure":"multiply_add","level":"registers","isa":"avx2","workers":2,"unit":"GFLOP/s","value":200}"#,
    #"{"record":"peak","schema_version":1,"measure":"read","level":"memory","isa":"avx2","workers":2,"unit":"GB/s","value":20}"#,
    CompareCommandTests.layer("conv_1", 1), CompareCommandTests.layer("conv_1", 2, pass: "backward-data"),
    #"{"record":"network","schema_version":1,"network":"net","mode":"inference","batch":1,"workers":2,"streams":1,"best_ms":1,"median_ms":1.1,"#
      + #""p90_ms":1.2,"p99_ms":2,"p999_ms":null,"latency_histogram":[[1,5],[1.5,4],[2,1]],"images_per_second":1000,"spread":0.01}"#,
    #"{"record":"node","schema_version":1,"node":"a \"quoted\" node","kernel":"k","ms":0.6,"gflops":1}"#,
    #"{"record":"node","schema_version":1,"node":"relu","kernel":"k","ms":0.3,"gflops":0}"#,
    #"{"record":"scaling","schema_version":1,"network":"net","batch":1,"mode":"inference","kind":"strong","isa":"avx2","workers":1,"best_ms":2,"#
      + #""images_per_second":500,"efficiency":1,"predicted_images_per_second":510,"predicted_efficiency":1}"#,
    #"{"record":"scaling","schema_version":1,"network":"net","batch":1,"mode":"inference","kind":"strong","isa":"avx2","workers":2,"best_ms":1.1,"#
      + #""images_per_second":900,"efficiency":0.9,"predicted_images_per_second":1000,"predicted_efficiency":0.98}"#,
    #"{"record":"serve_load","schema_version":1,"network":"net","batch":1,"clients":4,"offered_per_second":100,"completed_per_second":99,"#
      + #""p50_ms":1,"p99_ms":3,"p999_ms":4,"max_ms":5,"missed":0,"neighbour":false}"#,
    #"{"record":"serve_load","schema_version":1,"network":"net","batch":1,"clients":4,"offered_per_second":200,"completed_per_second":198,"#
      + #""p50_ms":1,"p99_ms":6,"p999_ms":8,"max_ms":9,"missed":1,"neighbour":false}"#,
    #"{"record":"operation","schema_version":1,"name":"relu","pass":"forward","best_ms":1,"gigabytes_per_second":10,"reference":"memory read"}"#,
    #"{"record":"trained_layer","schema_version":1,"layer":"conv2d","pass":"forward","ms":1,"percent_of_peak":null}"#,
  ]

  @Test(.enabled(if: gnuplot != nil, "no gnuplot here"))
  func aPageHoldsAllItShows() throws {
    let after = Self.results.map { $0.replacing("\"best_ms\":1,", with: "\"best_ms\":1.5,") }
    try withFile(Self.results.joined(separator: "\n")) { old in
      try withFile(after.joined(separator: "\n")) { new in
        try withFolder { folder in
          let result = try engineBench("report", new, old, "--out", "\(folder)/page", "--format", "json")
          #expect(result.status == 0, "\(result.errors)")
          let record = try result.records("report")[0]
          #expect(
            record["sections"] as? [String] == [
              "machine", "comparison", "layers", "networks", "scaling", "load", "operators", "peaks", "training",
            ])
          // Changes, roofline, latency, nodes, scaling, load.
          #expect(record["plots"] as? Int == 6)
          let page = try String(contentsOfFile: "\(folder)/page/index.html", encoding: .utf8)
          #expect(try FileManager.default.contentsOfDirectory(atPath: "\(folder)/page") == ["index.html"])
          #expect(page.contains("A &lt;b&gt;chip&lt;/b&gt;") && !page.contains("<b>chip"))
          #expect(page.contains("others &amp; &quot;more&quot;"))
          for word in ["<script", "http://", "https://", "<link", "@import", "url("] {
            #expect(!page.contains(word), "\(word)")
          }
          // Each picture is a whole document.
          let pictures = page.matches(of: /src="data:image\/svg\+xml;base64,([^"]+)"/)
          #expect(pictures.count == 6)
          for picture in pictures {
            let svg = String(decoding: try #require(Data(base64Encoded: String(picture.1))), as: UTF8.self)
            #expect(svg.contains("<svg") && svg.contains("</svg>"))
          }
          #expect(page.contains("slower"))
        }
      }
    }
  }

  /// One kind of record is enough for a page; what a command prints is read.
  @Test(.enabled(if: gnuplot != nil, "no gnuplot here"))
  func whatCommandsPrintIsShown() throws {
    try withFolder { folder in
      let results = "\(folder)/results.json"
      let run = try engineBench(
        "network", "digits_cnn", "--batch", "2", "--duration", "0.01", "--profile", "--out", results)
      #expect(run.status == 0, "\(run.errors)")
      let report = try engineBench("report", results, "--out", folder)
      #expect(report.status == 0, "\(report.errors)")
      #expect(report.lines == ["\(folder)/index.html: 2 sections, 2 plots"])
      let page = try String(contentsOfFile: "\(folder)/index.html", encoding: .utf8)
      #expect(page.contains("digits_cnn inference, batch 2"))
    }
  }

  @Test func aMissingGnuplotIsSaid() throws {
    try withFile(Self.results.joined(separator: "\n")) { results in
      try withFolder { folder in
        let result = try engineBench(
          "report", results, "--out", "\(folder)/page", environment: ["PATH": "/no/such/folder"])
        #expect(result.status == 69)
        #expect(result.output.isEmpty)
        #expect(result.errors.split(separator: "\n").count == 1)
        #expect(result.errors.contains("apt-get install gnuplot-nox"), "\(result.errors)")
        #expect(!FileManager.default.fileExists(atPath: "\(folder)/page"))
      }
    }
  }

  @Test(.enabled(if: gnuplot != nil, "no gnuplot here"))
  func whatIsWrongIsSaid() throws {
    #expect(try engineBench("report", "/no/such.json", "--out", "/tmp").status == 66)
    try withFile(Self.results[0]) { onlyEnvironment in
      let result = try engineBench("report", onlyEnvironment, "--out", "/tmp")
      #expect(result.status == 65 && result.errors.contains("found environment"), "\(result.errors)")
    }
    try withFile(Self.results.joined(separator: "\n")) { results in
      #expect(try engineBench("report", results, "--out", "/dev/null/page").status == 73)
      #expect(try engineBench("report", results).status == 64)
      try withFile(CompareCommandTests.layer("other", 1)) { other in
        let apart = try engineBench("report", results, other, "--out", "/tmp")
        #expect(apart.status == 65, "\(apart.errors)")
      }
    }
  }
}
