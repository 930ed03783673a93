/* SPDX-License-Identifier: Apache-2.0 */
/* Reading of a dead process's file: shared by dead.c, dead_tree.c and dead_rings.c only. */
#ifndef PROFI_DEAD_READER_H
#define PROFI_DEAD_READER_H

#include "dead.h"
#include "roots.h"

enum { PROFI_DEAD_GRANULE = 16 }; /* no two pieces of the region share one */

typedef struct profi_dead_reader {
    profi_dead *dead;
    const char *data; /* pages of the region, aligned for what lies in them */
    uint64_t bytes, base;
    const profi_roots *roots;
    uint8_t *claimed;        /* a bit for each granule: it was read */
    uint32_t *index_of_node; /* by place / 64: index in the copy's nodes plus 1 */
    uint64_t *place_of_node; /* by index: its address */
    size_t place_room, node_room, bucket_room, thread_room, counter_room, span_room, open_room, cell_room, segment_room, ring_room;
    uint64_t last_tick;      /* the youngest seen */
    int is_memory_spent;
} profi_dead_reader;

/* What lies at an address of the process; NULL where the file has not so many bytes there. */
const void *profi_dead_at(const profi_dead_reader *r, const void *address, uint64_t bytes);

/* The same, of what nobody has read yet; NULL, counted as damage, where somebody has. */
const void *profi_dead_claim(profi_dead_reader *r, const void *address, uint64_t bytes);

static inline void profi_dead_saw(profi_dead_reader *r, uint64_t tick) { r->last_tick = profi_max_u64(r->last_tick, tick); }

/* The trees of all threads, and what hangs on them: 0 when memory is spent. */
int profi_dead_read_trees(profi_dead_reader *r);

/* All rings: 0 when memory is spent. */
int profi_dead_read_rings(profi_dead_reader *r);

/* Whether a cell can be what it says. */
int profi_dead_is_sound(profi_dead_reader *r, const prof_inline_cell *cell);

/* A new segment, at the end of the cells; NULL where the numbers make no sense or memory is spent. */
profi_segment *profi_dead_add_segment(profi_dead_reader *r, uint64_t thread, uint64_t first_index, uint64_t first_detail);

/* When all rings have been read: sorts them, leaves out what overlaps, and counts. */
void profi_dead_settle_rings(profi_dead_reader *r, uint64_t exited_issued, uint64_t exited_filtered);

/*
 * Sets the clock by two moments on it; a tick is a nanosecond where it is no
 * tick counter, and where they are not one after the other: then 0.
 */
int profi_dead_set_clock(profi_dead *dead, int is_ticks, int is_steady, const profi_roots_time *first,
                         const profi_roots_time *newest);

/* When all has been read: how late it was, of a process that began to record at a moment. */
void profi_dead_set_last(profi_dead_reader *r, const profi_clock_moment *begun);

/* Text from anybody, cleaned and cut. */
void profi_dead_copy_clean(char *into, size_t room, const char *text, size_t bytes);

#endif
