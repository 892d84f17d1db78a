import CZlib
import TesseraGraph

/// zlib's decompression of gzip data, one or more members in a row, with their checksums checked.
struct Inflater: ~Copyable {
  /// zlib keeps a pointer back to this structure, so it must not move.
  private let stream: UnsafeMutablePointer<z_stream>

  /// Where a step came to.
  enum Outcome: Equatable {
    /// The step consumed and produced something, or wants more of either.
    case going
    /// A member is complete and its checksum is right.
    case memberEnd
    /// The data contradict themselves, for the reason given.
    case damaged(String)
  }

  init() throws(TesseraError) {
    stream = .allocate(capacity: 1)
    stream.initialize(to: z_stream())
    // 15 bits of window, 16 more for "gzip only".
    let status = inflateInit2_(stream, 15 + 16, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
    guard status == Z_OK else {
      stream.deallocate()
      throw TesseraError(
        .systemFailure, at: "zlib", expected: "a decompressor", found: "status \(status)")
    }
  }

  deinit {
    inflateEnd(stream)
    stream.deallocate()
  }

  /// Decompresses from `input` to `output` until one of them is used up or a member ends.
  func step(input: UnsafeRawBufferPointer, output: UnsafeMutableRawBufferPointer) -> (
    consumed: Int, produced: Int, outcome: Outcome
  ) {
    // zlib counts in 32 bits.
    let inputCount = UInt32(clamping: input.count)
    let outputCount = UInt32(clamping: output.count)
    stream.pointee.next_in = UnsafeMutablePointer(
      mutating: input.baseAddress?.assumingMemoryBound(to: Bytef.self))
    stream.pointee.avail_in = inputCount
    stream.pointee.next_out = output.baseAddress?.assumingMemoryBound(to: Bytef.self)
    stream.pointee.avail_out = outputCount
    let status = inflate(stream, Z_NO_FLUSH)
    let consumed = Int(inputCount - stream.pointee.avail_in)
    let produced = Int(outputCount - stream.pointee.avail_out)
    switch status {
    case Z_OK, Z_BUF_ERROR: return (consumed, produced, .going)
    case Z_STREAM_END: return (consumed, produced, .memberEnd)
    default:
      let reason = stream.pointee.msg.map { String(cString: $0) } ?? "status \(status)"
      return (consumed, produced, .damaged(reason))
    }
  }

  /// Starts on the next member.
  func startMember() { inflateReset(stream) }
}
