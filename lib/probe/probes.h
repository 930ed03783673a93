/* SPDX-License-Identifier: Apache-2.0 */
/* The probes that come with the library: each adds its rows to the probe table.  Once, before the first scope. */
#ifndef PROFI_PROBES_H
#define PROFI_PROBES_H

#include <stdint.h>

void profi_rss_install(void);

/* Resident memory now; 0 when it cannot be read. */
struct profi_reading;
int profi_rss_read(struct profi_reading *reading);

/* Reads it and remembers it for the scopes that are open; the bytes, or 0.  One caller at a time. */
uint64_t profi_rss_sample(void);

/*
 * Memory that allocators hand out.  Each kind of memory has a number below
 * PROFI_MEMORIES, six rows of its own, which no site can ask for before it is
 * named, and what is counted of the whole process.
 */
enum { PROFI_MEMORIES = 4, PROFI_MEMORY_NAME_ROOM = 32 };

typedef struct profi_memory_totals {
    uint64_t allocated_bytes, allocated_count, freed_bytes, freed_count, peak_bytes;
    uint64_t lost_count;    /* blocks that there was no room to remember: in no figure */
    uint64_t unknown_count; /* frees of what was not remembered: allocated before, or lost */
} profi_memory_totals;

void profi_memory_install(void);

/* Finds or makes a kind of memory; PROFI_MEMORIES when there are no more.  `name` has at most 31 bytes; one caller at a time. */
unsigned profi_memory_of(const char *name);
unsigned profi_memory_count(void);
const char *profi_memory_name(unsigned memory);

/* Something was allocated, or freed, by the calling thread: in its figures, and the process's. */
void profi_memory_allocated(unsigned memory, uint64_t bytes);
void profi_memory_freed(unsigned memory, uint64_t bytes);
void profi_memory_lost(unsigned memory);
void profi_memory_unknown(unsigned memory);
profi_memory_totals profi_memory_totals_of(unsigned memory);

void profi_thread_install(void);
void profi_cgroup_install(void);

/* Processors, as rows of base/usage.h: one sample, since the one before, of which profi_cpu_begin() knows nothing.  One thread. */
void profi_cpu_begin(void);
void profi_cpu_sample(void);

/* In a forked child, whose one thread has counts of its own. */
void profi_thread_forget(void);

#endif
