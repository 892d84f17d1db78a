import CTesseraShims

/// The floating-point state in which workers compute, whatever their thread's was: denormals, which cost some processors
/// a hundred cycles each, are zero, and results don't depend on a host's rounding. What the thread had is put back.
struct FloatingPointState: ~Copyable {
  private let saved = tessera_get_float_state()

  init() { tessera_set_float_state(tessera_computing_float_state()) }

  deinit { tessera_set_float_state(saved) }
}
