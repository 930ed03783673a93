/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pool of chunks, shared by ring.c, which gives chunks to threads, and
 * ring_read.c, which copies what is in them.
 */
#ifndef PROFI_POOL_H
#define PROFI_POOL_H

#include "cold.h"

#include <pthread.h>

/*
 * `sequence` is odd from the moment when the chunk is given away until its
 * new header stands.  It is raised by an exchange, so that no cell written
 * afterwards can be seen before it.
 */
struct profi_chunk {
    profi_chunk *next;     /* of its ring, by age; or of the free ones */
    uint64_t sequence;
    uint64_t thread;       /* the owner's number; 0: runs of cells of several threads, each behind one that says whose */
    uint64_t first_index;  /* events that the owner issued before */
    uint64_t first_detail; /* and details */
    uint64_t cell_count;   /* once it is full or its owner has ended; before, UINT64_MAX: up to the owner's `cell` */
    prof_inline_cell *const *cell_at; /* the owner's `cell`, while cell_count is UINT64_MAX */
    uint32_t other_count;  /* cells that are no events: details, and those that begin a run; once it is full */
    uint32_t opened;       /* `readings` when its owner got it */
    prof_inline_cell who;  /* the owner */
    prof_inline_cell cells[];
};
_Static_assert(sizeof(profi_chunk) == 64 + sizeof(prof_inline_cell), "cells lie on as few lines as if they began on one");

typedef struct profi_pool {
    profi_chunk **chunks; /* all that were made; stored with release before chunk_count; NULL: rings are not kept */
    uint64_t chunk_count, chunk_limit, chunk_bytes, cells_per_chunk;
    profi_chunk *free;
    profi_ring *rings;    /* of all live threads, and `left` */
    uint64_t live_count;  /* of live threads */
    uint64_t ring_count;  /* of those, with chunks or the right to have some */
    profi_ring left;      /* what exited threads left */
    uint64_t exited_issued, exited_filtered, exited_streamed; /* by threads that ended */
    uint64_t recycled;    /* events that were held once and are not any more, or never were */
    uint64_t shortest;    /* ticks; see profi_rings_set_shortest() */
    uint32_t readings;    /* what is in a chunk that was opened later is not for that one */
} profi_pool;

static inline uint64_t profi_ring_used_cells(const profi_thread *thread)
{
    const profi_ring *ring = &thread->ring;
    const prof_inline_cell *first = ring->current ? ring->current->cells : ring->first_cells;
    return (uint64_t)(PROFI_ACQUIRE(thread->cell) - first);
}

/*
 * Events; of another thread, while it writes a detail, one too few: the reader then finds one more than that.
 *
 * A thread without a ring steps over its cells without the lock, in this
 * order: first_index grows, then `cell` goes back to the first of them.  It is
 * at the end of the cells only while it does so.  So where it is not, and
 * first_index is the same before and after, what was read belongs together.
 * A thread that was switched out just then is not waited for: up to
 * PROFI_FIRST_CELLS too many are reported, once.
 */
static inline uint64_t profi_ring_issued(const profi_thread *thread)
{
    const profi_ring *ring = &thread->ring;
    for (int looks = 0;; looks++) {
        uint64_t first = PROFI_ACQUIRE(ring->first_index), details = PROFI_ACQUIRE(ring->details);
        uint64_t used = profi_ring_used_cells(thread);
        int is_whole = PROFI_GET(ring->first_index) == first && used < PROFI_FIRST_CELLS;
        if (!ring->is_without || is_whole || looks == 100)
            return first + used - details;
    }
}

static inline void profi_cell_copy(prof_inline_cell *into, const prof_inline_cell *from)
{
    PROFI_PUT(into->what, PROFI_GET(from->what));
    PROFI_PUT(into->start, PROFI_GET(from->start));
    PROFI_PUT(into->end, PROFI_GET(from->end));
}

#endif
