// What Swift's SIMD types can't say. Everything is static inline: no object code of its own, so that each function takes the
// instruction set of the module that calls it.
#ifndef CTESSERA_SHIMS_H
#define CTESSERA_SHIMS_H

#include <stdint.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

/// Tells the processor that this thread spins.
static inline void tessera_pause(void) {
#if defined(__x86_64__)
  _mm_pause();
#elif defined(__aarch64__)
  __asm__ __volatile__("yield");
#endif
}

/// 0: baseline only, 1: x86-64-v3 (AVX2, FMA), 2: x86-64-v4 (AVX-512 F, BW, CD, DQ, VL), with the operating system's support.
static inline int tessera_x86_level(void) {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("x86-64-v4")) return 2;
  if (__builtin_cpu_supports("x86-64-v3")) return 1;
#endif
  return 0;
}

#endif
