// What Swift can't say. What kernels call is static inline: no object code of its own, so that each function takes the
// instruction set of the module that calls it.
#ifndef CTESSERA_SHIMS_H
#define CTESSERA_SHIMS_H

#include <stddef.h>
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

/// Asks for the cache line of an address, which need not exist, in level 2.
static inline void tessera_prefetch(const float *address) { __builtin_prefetch(address, 0, 2); }

/// The same for a line that is about to be written: it comes in the state in which a store can take it. The compiler would
/// emit the instruction only for processors named one by one; those that lack it ignore it.
static inline void tessera_prefetch_to_write(float *address) {
#if defined(__x86_64__)
  __asm__ __volatile__("prefetchw %0" : : "m"(*(char *)address));
#else
  __builtin_prefetch(address, 1, 3);
#endif
}

/// `concurrentPerform` for a function and its context, for which nothing is allocated.
void tessera_apply(intptr_t iterations, void *context, void (*work)(void *, size_t));

/// The calling thread's floating-point state: rounding, traps, what becomes of denormals. 0 where there is none to set.
static inline uint64_t tessera_get_float_state(void) {
#if defined(__x86_64__)
  return _mm_getcsr();
#elif defined(__aarch64__)
  uint64_t state;
  __asm__ __volatile__("mrs %0, fpcr" : "=r"(state));
  return state;
#else
  return 0;
#endif
}

static inline void tessera_set_float_state(uint64_t state) {
#if defined(__x86_64__)
  _mm_setcsr((unsigned)state);
#elif defined(__aarch64__)
  __asm__ __volatile__("msr fpcr, %0" : : "r"(state));
#else
  (void)state;
#endif
}

/// The state to compute in: round to nearest, no traps, denormals are zero as operands and as results.
static inline uint64_t tessera_computing_float_state(void) {
#if defined(__x86_64__)
  return 0x9FC0;
#elif defined(__aarch64__)
  return 1 << 24;
#else
  return 0;
#endif
}

/// The processor that the calling thread is on; below 0 if the system doesn't tell.
int tessera_current_processor(void);

/// The processors that the calling thread may run on, a bit each, without allocating. 0 if the system tells, or obeys.
int tessera_get_thread_processors(uint64_t *mask, intptr_t words);
int tessera_set_thread_processors(const uint64_t *mask, intptr_t words);

/// 0: baseline only, 1: x86-64-v3 (AVX2, FMA), 2: x86-64-v4 (AVX-512 F, BW, CD, DQ, VL), with the operating system's support.
static inline int tessera_x86_level(void) {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("x86-64-v4")) return 2;
  if (__builtin_cpu_supports("x86-64-v3")) return 1;
#endif
  return 0;
}

// Stores past the caches, to addresses aligned to the vector: a line that is written whole needn't be read first. They are
// ordered with other stores by the fence only.

#if defined(__SSE__)
static inline void tessera_stream_4(float *target, __m128 value) { _mm_stream_ps(target, value); }
#endif
#if defined(__AVX__)
static inline void tessera_stream_8(float *target, __m256 value) { _mm256_stream_ps(target, value); }
#endif
#if defined(__AVX512F__)
static inline void tessera_stream_16(float *target, __m512 value) { _mm512_stream_ps(target, value); }
#endif
static inline void tessera_stream_fence(void) {
#if defined(__x86_64__)
  _mm_sfence();
#endif
}

// max(least, value) in one instruction: with a NaN it gives its second operand, so that a NaN in `value` stays.

#if defined(__SSE__)
static inline __m128 tessera_at_least_4(__m128 least, __m128 value) { return _mm_max_ps(least, value); }
#endif
#if defined(__AVX__)
static inline __m256 tessera_at_least_8(__m256 least, __m256 value) { return _mm256_max_ps(least, value); }
#endif
#if defined(__AVX512F__)
static inline __m512 tessera_at_least_16(__m512 least, __m512 value) { return _mm512_max_ps(least, value); }
#endif

// accumulator + a * b, rounded once, on a whole vector.

#if defined(__FMA__)
static inline __m256 tessera_multiply_add_8(__m256 accumulator, __m256 a, __m256 b) {
  return _mm256_fmadd_ps(a, b, accumulator);
}
#endif
#if defined(__AVX512F__)
static inline __m512 tessera_multiply_add_16(__m512 accumulator, __m512 a, __m512 b) {
  return _mm512_fmadd_ps(a, b, accumulator);
}
#endif

// Part of a vector: the first `count` floats, 0...lanes. Memory behind them is neither read nor written (masked
// accesses don't fault), and lanes behind them load as 0.

#if defined(__AVX512F__)
static inline __m512 tessera_load_first_16(const float *source, intptr_t count) {
  return _mm512_maskz_loadu_ps((__mmask16)((1u << count) - 1), source);
}

static inline void tessera_store_first_16(float *target, __m512 value, intptr_t count) {
  _mm512_mask_storeu_ps(target, (__mmask16)((1u << count) - 1), value);
}
#endif

#if defined(__AVX2__)
static inline __m256i tessera_first_8(intptr_t count) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)count), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

static inline __m256 tessera_load_first_8(const float *source, intptr_t count) {
  return _mm256_maskload_ps(source, tessera_first_8(count));
}

static inline void tessera_store_first_8(float *target, __m256 value, intptr_t count) {
  _mm256_maskstore_ps(target, tessera_first_8(count), value);
}
#endif

#endif
