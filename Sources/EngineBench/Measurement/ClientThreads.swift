import Dispatch
import Foundation
import TesseraRuntime

/// Threads of clients, each with a number of its own.
enum ClientThreads {
  /// Calls a function for every client at the same time: a single one here, several on threads of their own.
  /// - Returns: what it returned, in no order.
  /// - Throws: what it threw for one of them, once all have ended.
  static func run<Result: Sendable>(
    _ clients: Int, _ body: @escaping @Sendable (_ client: Int) throws -> Result
  ) throws -> [Result] {
    guard clients > 1 else { return [try body(0)] }
    let results = Lock<[Swift.Result<Result, any Error>]>([])
    let group = DispatchGroup()
    for client in 0..<clients {
      group.enter()
      Thread {
        let result = Swift.Result { try body(client) }
        results.withLock { $0.append(result) }
        group.leave()
      }.start()
    }
    group.wait()
    return try results.withLock { $0 }.map { try $0.get() }
  }
}
