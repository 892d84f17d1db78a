#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// Many readers or one writer; a waiting writer goes before new readers, so that a stream of runs can't starve a step.
///
/// Unlike the system's lock, either side may be released by another thread than the one that took it: a run's workers
/// share what its caller holds.
final class ReadWriteLock: @unchecked Sendable {
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
  // Guarded by the mutex.
  private var readers = 0
  private var waitingWriters = 0
  private var isWriting = false

  init() {
    pthread_mutex_init(mutex, nil)
    pthread_cond_init(condition, nil)
  }

  deinit {
    pthread_cond_destroy(condition)
    pthread_mutex_destroy(mutex)
    condition.deallocate()
    mutex.deallocate()
  }

  func lockShared() {
    pthread_mutex_lock(mutex)
    while isWriting || waitingWriters > 0 { pthread_cond_wait(condition, mutex) }
    readers += 1
    pthread_mutex_unlock(mutex)
  }

  func unlockShared() {
    pthread_mutex_lock(mutex)
    readers -= 1
    if readers == 0 { pthread_cond_broadcast(condition) }
    pthread_mutex_unlock(mutex)
  }

  func lockExclusive() {
    pthread_mutex_lock(mutex)
    waitingWriters += 1
    while isWriting || readers > 0 { pthread_cond_wait(condition, mutex) }
    waitingWriters -= 1
    isWriting = true
    pthread_mutex_unlock(mutex)
  }

  func unlockExclusive() {
    pthread_mutex_lock(mutex)
    isWriting = false
    pthread_cond_broadcast(condition)
    pthread_mutex_unlock(mutex)
  }
}
