#if defined(__linux__)
#define _GNU_SOURCE
#include <sched.h>
#endif

#include "CTesseraShims.h"

int tessera_get_thread_processors(uint64_t *mask, intptr_t words) {
#if defined(__linux__)
  return sched_getaffinity(0, (size_t)words * sizeof *mask, (cpu_set_t *)mask);
#else
  (void)mask, (void)words;
  return -1;
#endif
}

int tessera_set_thread_processors(const uint64_t *mask, intptr_t words) {
#if defined(__linux__)
  return sched_setaffinity(0, (size_t)words * sizeof *mask, (const cpu_set_t *)mask);
#else
  (void)mask, (void)words;
  return -1;
#endif
}
