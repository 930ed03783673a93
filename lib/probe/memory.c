/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory that allocators hand out, as they tell: for each kind of memory what
 * the calling thread allocated and freed, how high that rose, and the largest
 * block.
 *
 * Figures are the thread's, so that those of a scope are its own doing: a
 * block that another thread frees is in what that one freed.  Of a thread
 *
 *     live = allocated - freed         below 0 where it frees what others made
 *     high = the highest live since the innermost open call began
 *
 * and a call that begins puts the caller's high away and starts at live; at
 * its end the caller's is raised to what it reached.  So peaks nest exactly,
 * and nobody's counter is reset.
 */
#include "probes.h"

#include "../base/probe_table.h"

#include <stdio.h>
#include <string.h>

enum { ALLOCATED, FREED, BLOCKS, FREED_BLOCKS, PEAK, LARGEST, ROWS };

static const struct kind {
    const char *suffix, *unit;
    unsigned is_maximum;
} kinds[ROWS] = {
    [ALLOCATED] = { "allocated", "bytes", 0 }, [FREED] = { "freed", "bytes", 0 },
    [BLOCKS] = { "blocks", "blocks", 0 },      [FREED_BLOCKS] = { "freed_blocks", "blocks", 0 },
    [PEAK] = { "peak", "bytes", 1 },           [LARGEST] = { "largest", "bytes", 1 },
};

/* The calling thread's. */
typedef struct figures {
    uint64_t of[BLOCKS + 2]; /* ALLOCATED to FREED_BLOCKS */
    int64_t high;
    uint64_t largest; /* since the innermost open call began */
} figures;
static __thread figures mine[PROFI_MEMORIES] __attribute__((tls_model("initial-exec")));

static profi_memory_totals totals[PROFI_MEMORIES]; /* by atomic access */
static profi_probe rows[PROFI_MEMORIES * ROWS];
static char names[PROFI_MEMORIES * ROWS][PROFI_MEMORY_NAME_ROOM + 24];
static char memories[PROFI_MEMORIES][PROFI_MEMORY_NAME_ROOM];
static unsigned first_row, memory_count; /* the count is stored with release after all else */

static int64_t live(const figures *thread) { return (int64_t)(thread->of[ALLOCATED] - thread->of[FREED]); }

void profi_memory_allocated(unsigned memory, uint64_t bytes)
{
    figures *thread = &mine[memory];
    profi_memory_totals *total = &totals[memory];
    thread->of[ALLOCATED] += bytes;
    thread->of[BLOCKS]++;
    if (live(thread) > thread->high)
        thread->high = live(thread);
    if (bytes > thread->largest)
        thread->largest = bytes;
    __atomic_fetch_add(&total->allocated_count, 1u, __ATOMIC_RELAXED);
    uint64_t all = __atomic_add_fetch(&total->allocated_bytes, bytes, __ATOMIC_RELAXED);
    uint64_t now = all - PROFI_GET(total->freed_bytes), peak = PROFI_GET(total->peak_bytes);
    while (now > peak && now <= all &&
           !__atomic_compare_exchange_n(&total->peak_bytes, &peak, now, 1, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
        ;
}

void profi_memory_freed(unsigned memory, uint64_t bytes)
{
    mine[memory].of[FREED] += bytes;
    mine[memory].of[FREED_BLOCKS]++;
    __atomic_fetch_add(&totals[memory].freed_count, 1u, __ATOMIC_RELAXED);
    __atomic_fetch_add(&totals[memory].freed_bytes, bytes, __ATOMIC_RELAXED);
}

void profi_memory_lost(unsigned memory) { __atomic_fetch_add(&totals[memory].lost_count, 1u, __ATOMIC_RELAXED); }
void profi_memory_unknown(unsigned memory) { __atomic_fetch_add(&totals[memory].unknown_count, 1u, __ATOMIC_RELAXED); }

/* What was freed is read first: what is freed of what is allocated meanwhile would otherwise make the difference negative. */
profi_memory_totals profi_memory_totals_of(unsigned memory)
{
    profi_memory_totals *from = &totals[memory], read;
    read.freed_bytes = PROFI_ACQUIRE(from->freed_bytes);
    read.freed_count = PROFI_ACQUIRE(from->freed_count);
    read.allocated_bytes = PROFI_GET(from->allocated_bytes);
    read.allocated_count = PROFI_GET(from->allocated_count);
    read.peak_bytes = PROFI_GET(from->peak_bytes);
    read.lost_count = PROFI_GET(from->lost_count);
    read.unknown_count = PROFI_GET(from->unknown_count);
    return read;
}

/* ---- the rows ---- */

static figures *figures_of(unsigned row) { return &mine[(row - first_row) / ROWS]; }

static uint64_t high_begin(unsigned row)
{
    figures *thread = figures_of(row);
    int64_t outer = thread->high;
    thread->high = live(thread);
    return (uint64_t)outer;
}

static uint64_t high_end(unsigned row, uint64_t mark)
{
    figures *thread = figures_of(row);
    int64_t reached = thread->high, outer = (int64_t)mark;
    thread->high = outer > reached ? outer : reached;
    return (uint64_t)reached;
}

static uint64_t largest_begin(unsigned row)
{
    figures *thread = figures_of(row);
    uint64_t outer = thread->largest;
    thread->largest = 0;
    return outer;
}

static uint64_t largest_end(unsigned row, uint64_t mark)
{
    figures *thread = figures_of(row);
    uint64_t reached = thread->largest;
    thread->largest = profi_max_u64(reached, mark);
    return reached;
}

static uint64_t read_memory(uint64_t wanted, profi_reading *readings)
{
    const figures *thread = mine;
    for (uint64_t left = wanted; left != 0; left >>= ROWS, readings += ROWS, thread++) {
        if ((left & ((1u << ROWS) - 1)) == 0)
            continue;
        for (unsigned kind = ALLOCATED; kind <= FREED_BLOCKS; kind++)
            readings[kind] = (profi_reading){ thread->of[kind], 0, 0 };
        readings[PEAK] = (profi_reading){ (uint64_t)live(thread), 0, 0 };
        readings[LARGEST] = (profi_reading){ 0, 0, 0 };
    }
    return wanted;
}

unsigned profi_memory_count(void) { return PROFI_ACQUIRE(memory_count); }
const char *profi_memory_name(unsigned memory) { return memories[memory]; }

unsigned profi_memory_of(const char *name)
{
    unsigned memory = 0;
    while (memory < memory_count && strcmp(memories[memory], name) != 0)
        memory++;
    if (memory < memory_count || memory == PROFI_MEMORIES)
        return memory;
    strcpy(memories[memory], name);
    for (unsigned i = memory * ROWS; i < (memory + 1) * ROWS; i++) {
        snprintf(names[i], sizeof(names[i]), "memory.%s.%s", name, kinds[i % ROWS].suffix);
        PROFI_RELEASE(rows[i].name, names[i]);
        PROFI_RELEASE(rows[i].site_flags, (uint32_t)PROF_SITE_MEMORY);
    }
    PROFI_RELEASE(memory_count, memory + 1);
    return memory;
}

void profi_memory_install(void)
{
    for (unsigned i = 0; i < PROFI_COUNT_OF(rows); i++) {
        unsigned kind = i % ROWS;
        rows[i] = (profi_probe){ .unit = kinds[kind].unit, .of = "thread", .is_plain = 1 };
        if (!kinds[kind].is_maximum)
            continue;
        rows[i].peak_begin = kind == PEAK ? high_begin : largest_begin;
        rows[i].peak_end = kind == PEAK ? high_end : largest_end;
    }
    first_row = profi_probe_source_add(rows, PROFI_COUNT_OF(rows), read_memory);
}
