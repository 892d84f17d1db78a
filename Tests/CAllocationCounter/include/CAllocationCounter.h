#ifndef CALLOCATIONCOUNTER_H
#define CALLOCATIONCOUNTER_H

#include <stdint.h>

/// Whether this build counts: with glibc and no sanitizer, which brings an allocator of its own.
int allocation_counter_is_active(void);

/// Allocations of all threads of the process so far.
uint64_t allocation_counter_count(void);

#endif
