// What Swift can't say. What kernels call is static inline: no object code of its own, so that each function takes the
// instruction set of the module that calls it.
#ifndef CTESSERA_SHIMS_H
#define CTESSERA_SHIMS_H

#include <math.h>
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

/// a to the power of b.
static inline float tessera_power(float a, float b) { return powf(a, b); }

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
/// Not the compiler's own functions, of which it takes reading for independent of writing: it may read before.
static inline uint64_t tessera_get_float_state(void) {
#if defined(__x86_64__)
  uint32_t state;
  __asm__ __volatile__("stmxcsr %0" : "=m"(state) : : "memory");
  return state;
#elif defined(__aarch64__)
  uint64_t state;
  __asm__ __volatile__("mrs %0, fpcr" : "=r"(state) : : "memory");
  return state;
#else
  return 0;
#endif
}

static inline void tessera_set_float_state(uint64_t state) {
#if defined(__x86_64__)
  uint32_t narrow = (uint32_t)state;
  __asm__ __volatile__("ldmxcsr %0" : : "m"(narrow) : "memory");
#elif defined(__aarch64__)
  __asm__ __volatile__("msr fpcr, %0" : : "r"(state) : "memory");
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

/// The system's number of the calling thread; below 0 if it has none.
int32_t tessera_current_thread(void);

/// The processors that the calling thread may run on, a bit each, without allocating; below 0 if the system doesn't tell.
int tessera_get_thread_processors(uint64_t *mask, intptr_t words);

/// The same for a thread of this process, which moves; thread 0: the calling one. 0 if the system obeys.
int tessera_set_thread_processors(int32_t thread, const uint64_t *mask, intptr_t words);

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

// Lane i of the result is lane index[i].

#if defined(__AVX2__)
static inline __m256 tessera_permuted_8(__m256 value, __m256i index) { return _mm256_permutevar8x32_ps(value, index); }
#endif
#if defined(__AVX512F__)
static inline __m512 tessera_permuted_16(__m512 value, __m512i index) { return _mm512_permutexvar_ps(index, value); }
#endif

// Lane i is lane index[i] of two vectors, one behind the other.

#if defined(__AVX2__)
static inline __m256 tessera_picked_8(__m256 first, __m256 second, __m256i index) {
  // Of the index the permutations take three bits; the fourth, in place of the sign, says which of them it is.
  return _mm256_blendv_ps(
    _mm256_permutevar8x32_ps(first, index), _mm256_permutevar8x32_ps(second, index),
    _mm256_castsi256_ps(_mm256_slli_epi32(index, 28)));
}
#endif
#if defined(__AVX512F__)
static inline __m512 tessera_picked_16(__m512 first, __m512 second, __m512i index) {
  return _mm512_permutex2var_ps(first, index, second);
}
#endif

// min(most, value), likewise.

#if defined(__SSE__)
static inline __m128 tessera_at_most_4(__m128 most, __m128 value) { return _mm_min_ps(most, value); }
#endif
#if defined(__AVX__)
static inline __m256 tessera_at_most_8(__m256 most, __m256 value) { return _mm256_min_ps(most, value); }
#endif
#if defined(__AVX512F__)
static inline __m512 tessera_at_most_16(__m512 most, __m512 value) { return _mm512_min_ps(most, value); }

/// value * 2^n for whole n.
static inline __m512 tessera_scale_16(__m512 value, __m512 n) { return _mm512_scalef_ps(value, n); }
#endif

// Maximum pooling: a where `value` is greater than `best` or the first NaN, else b; and `value` where two integers of 32 bits
// are equal, else 0. Swift's masks come out lane by lane here.

#if defined(__SSE2__)
static inline __m128 tessera_choose_larger_4(__m128 value, __m128 best, __m128 a, __m128 b) {
  const __m128 wins = _mm_and_ps(_mm_cmpnle_ps(value, best), _mm_cmpord_ps(best, best));
  return _mm_or_ps(_mm_and_ps(wins, a), _mm_andnot_ps(wins, b));
}
static inline __m128 tessera_where_equal_4(__m128 a, __m128 b, __m128 value) {
  return _mm_and_ps(_mm_castsi128_ps(_mm_cmpeq_epi32(_mm_castps_si128(a), _mm_castps_si128(b))), value);
}
#endif
#if defined(__AVX2__)
static inline __m256 tessera_choose_larger_8(__m256 value, __m256 best, __m256 a, __m256 b) {
  return _mm256_blendv_ps(
      b, a, _mm256_and_ps(_mm256_cmp_ps(value, best, _CMP_NLE_UQ), _mm256_cmp_ps(best, best, _CMP_ORD_Q)));
}
static inline __m256 tessera_where_equal_8(__m256 a, __m256 b, __m256 value) {
  return _mm256_and_ps(
      _mm256_castsi256_ps(_mm256_cmpeq_epi32(_mm256_castps_si256(a), _mm256_castps_si256(b))), value);
}
#endif
#if defined(__AVX512F__)
static inline __m512 tessera_choose_larger_16(__m512 value, __m512 best, __m512 a, __m512 b) {
  const __mmask16 isNumber = _mm512_cmp_ps_mask(best, best, _CMP_ORD_Q);
  return _mm512_mask_mov_ps(b, _mm512_mask_cmp_ps_mask(isNumber, value, best, _CMP_NLE_UQ), a);
}
static inline __m512 tessera_where_equal_16(__m512 a, __m512 b, __m512 value) {
  return _mm512_maskz_mov_ps(_mm512_cmpeq_epi32_mask(_mm512_castps_si512(a), _mm512_castps_si512(b)), value);
}
#endif

/// 32 words of eight Philox4x32-10 blocks from `block` on, in order: Philox4x32 of the kernels' contract says the function.
/// Eight counters run side by side, a word in the lower half of each 64-bit lane. Products of two words are then single
/// instructions, which look at lower halves only: what is left in the upper ones needn't be cleared before the end. In C,
/// since the optimizer takes Swift's vectors of integers apart and puts them together otherwise.
static inline void tessera_philox_words(uint64_t block, uint64_t step, uint32_t key0, uint32_t key1, uint32_t *words) {
  typedef uint64_t Lanes __attribute__((vector_size(64), aligned(4)));
  const uint64_t low = 0xFFFFFFFF;
  const Lanes blocks = block + (Lanes){0, 1, 2, 3, 4, 5, 6, 7};
  Lanes c0 = blocks, c1 = blocks >> 32, c2 = (Lanes){} + (step & low), c3 = (Lanes){} + (step >> 32);
#pragma clang loop unroll(full)
  for (int round = 0; round < 10; round++) {
    const Lanes product0 = (c0 & low) * (uint64_t)0xD2511F53, product1 = (c2 & low) * (uint64_t)0xCD9E8D57;
    c0 = (product1 >> 32) ^ c1 ^ (uint64_t)key0;
    c2 = (product0 >> 32) ^ c3 ^ (uint64_t)key1;
    c1 = product1;
    c3 = product0;
    key0 += 0x9E3779B9;
    key1 += 0xBB67AE85;
  }
  const Lanes even = (c0 & low) | (c1 << 32), odd = (c2 & low) | (c3 << 32);
  *(Lanes *)words = __builtin_shufflevector(even, odd, 0, 8, 1, 9, 2, 10, 3, 11);
  *((Lanes *)words + 1) = __builtin_shufflevector(even, odd, 4, 12, 5, 13, 6, 14, 7, 15);
}

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
