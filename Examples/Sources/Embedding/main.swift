// Tessera as a guest in another program: one session, buffers of the host's own, two threads that run it at once.
import Foundation
import Tessera

let batch = 4
let model = Sequential {
  Conv2D(16, kernelSize: 3, activation: .relu, inputShape: [28, 28, 1])
  MaxPool2D(2)
  Flatten()
  Dense(10, activation: .softmax)
}

/// Runs the session on one image of constant brightness, from and into memory that this program owns.
func classify(_ session: Session, brightness: Float) throws -> [Float] {
  let images = UnsafeMutableBufferPointer<Float>.allocate(capacity: batch * 28 * 28)
  let probabilities = UnsafeMutableBufferPointer<Float>.allocate(capacity: batch * 10)
  defer {
    images.deallocate()
    probabilities.deallocate()
  }
  images.initialize(repeating: brightness)
  probabilities.initialize(repeating: 0)
  try session.run { (call) throws(TesseraError) in
    try call.setInput("input", UnsafeRawBufferPointer(images))
    try call.setOutput("output", UnsafeMutableRawBufferPointer(probabilities))
  }
  return Array(probabilities)
}

do {
  let program = try Program(model.graph(batch: batch, mode: .inference))
  let session = try Session(program, store: ParameterStore(seed: 7))
  let alone = try [0.25, 0.75].map { try classify(session, brightness: $0) }

  let group = DispatchGroup()
  let queue = DispatchQueue(label: "host", attributes: .concurrent)
  let lock = NSLock()
  nonisolated(unsafe) var differing = 0
  for thread in 0..<2 {
    queue.async(group: group) {
      for _ in 0..<100 {
        let found = try? classify(session, brightness: thread == 0 ? 0.25 : 0.75)
        if found != alone[thread] { lock.withLock { differing += 1 } }
      }
    }
  }
  group.wait()
  print("200 runs from two threads, \(differing) differ from a run alone")
  exit(differing == 0 ? 0 : 1)
} catch {
  FileHandle.standardError.write(Data("\(error)\n".utf8))
  exit(1)
}
