#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// What the calling thread is doing for Tessera at this moment: nothing, leading a team, or working in a run.
///
/// A thread that works in a run takes part in no other: it may be bound, and a thread that is made meanwhile would inherit
/// its mask; and it would wait for tasks that it has claimed itself.
enum CurrentThread {
  private static let key: pthread_key_t = {
    var key = pthread_key_t()
    // Without a key (a host may use up the 1,024 that there are) all runs would be alone: no one could tell a nested one.
    precondition(pthread_key_create(&key, nil) == 0, "no thread-specific key is left")
    return key
  }()

  // Nil, the team that the thread leads, or this.
  nonisolated(unsafe) private static let working = UnsafeMutableRawPointer.allocate(byteCount: 1, alignment: 1)

  static var isWorking: Bool { pthread_getspecific(key) == working }

  /// The team that this thread leads and that waits for a run.
  static var team: Team? {
    guard let pointer = pthread_getspecific(key), pointer != working else { return nil }
    return Unmanaged<Team>.fromOpaque(pointer).takeUnretainedValue()
  }

  static func leads(_ team: Team) -> Bool { pthread_getspecific(key) == Unmanaged.passUnretained(team).toOpaque() }

  static func beginLeading(_ team: Team) { pthread_setspecific(key, Unmanaged.passUnretained(team).toOpaque()) }

  static func endLeading() { pthread_setspecific(key, nil) }

  /// - Returns: what ``endWork(_:)`` puts back.
  static func beginWork() -> UnsafeMutableRawPointer? {
    let outer = pthread_getspecific(key)
    pthread_setspecific(key, working)
    return outer
  }

  static func endWork(_ outer: UnsafeMutableRawPointer?) { pthread_setspecific(key, outer) }
}
