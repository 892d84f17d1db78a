#if defined(__linux__)
#define _GNU_SOURCE
#include <sched.h>
#include <unistd.h>
#endif

#include "CTesseraShims.h"

// libdispatch's own declaration needs its headers and the compiler's blocks. No queue: whichever fits the caller.
extern void dispatch_apply_f(size_t iterations, void *queue, void *context, void (*work)(void *, size_t));

void tessera_apply(intptr_t iterations, void *context, void (*work)(void *, size_t)) {
  dispatch_apply_f((size_t)iterations, 0, context, work);
}

int tessera_current_processor(void) {
#if defined(__linux__)
  return sched_getcpu();
#else
  return -1;
#endif
}

int32_t tessera_current_thread(void) {
#if defined(__linux__)
  return gettid();
#else
  return -1;
#endif
}

int tessera_get_thread_processors(uint64_t *mask, intptr_t words) {
#if defined(__linux__)
  return sched_getaffinity(0, (size_t)words * sizeof *mask, (cpu_set_t *)mask);
#else
  (void)mask, (void)words;
  return -1;
#endif
}

int tessera_set_thread_processors(int32_t thread, const uint64_t *mask, intptr_t words) {
#if defined(__linux__)
  return sched_setaffinity(thread, (size_t)words * sizeof *mask, (const cpu_set_t *)mask);
#else
  (void)thread, (void)mask, (void)words;
  return -1;
#endif
}
