/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The event ring: the most recent scopes of each thread, one cell of 24
 * bytes each, in chunks from a bounded pool.
 *
 *     thread's ring                    chunk
 *     oldest -> full -> full           +------------------------------+
 *     current -------------+           | thread, number, first index  |
 *                          `---------> +------+------+------+---------+
 *                                      | cell | cell | cell | …       |
 *                                      +------+------+------+---------+
 *
 * A thread writes cells without asking anyone until its chunk is full; then
 * it takes the pool's lock for another.  When the pool is used up, the oldest
 * full chunk of the thread that holds most is written anew: so a busy thread
 * recycles its own, and a quiet one keeps what it has.
 *
 * What a thread has issued and what the rings still hold are known exactly
 * from the chunks' first indices: the rest is lost.
 */
#ifndef PROFI_RING_H
#define PROFI_RING_H

#include "../base/base.h"
#include <profcore/inline.h>

/*
 * What a cell is: the highest byte of its first word.  Of a scope, the lower
 * half is the site's id, and between stands its level in the thread's tree, 1
 * for the outermost: where ticks are coarse nothing else tells a child from a
 * sibling.  A run says whose the cells behind it are: their
 * number, the thread's number as start, the first one's index as end.
 */
enum { PROFI_EVENT_RUN = 1, PROFI_EVENT_SCOPE };
#define PROFI_EVENT_KIND_SHIFT 56
#define PROFI_EVENT_LEVEL_SHIFT 32
#define PROFI_EVENT_LEVEL_MAX 0xffffffu /* and all that lie deeper */

static inline uint32_t profi_event_site(uint64_t what) { return (uint32_t)what; }
static inline uint32_t profi_event_level(uint64_t what) { return (uint32_t)(what >> PROFI_EVENT_LEVEL_SHIFT) & PROFI_EVENT_LEVEL_MAX; }

typedef struct profi_chunk profi_chunk;

enum { PROFI_FIRST_CELLS = 8 };

/* A part of each thread, written by it and, but for `base`, under the pool's lock. */
typedef struct profi_ring {
    struct profi_ring *previous, *next; /* of all rings */
    profi_chunk *current;        /* being written; NULL: first_cells are */
    profi_chunk *oldest, *newest; /* full ones, linked by age */
    uint64_t chunk_count;        /* all of them */
    uint64_t base;               /* index of the first event in first_cells */
    uint64_t thread;             /* the thread's number; 0: what exited threads left */
    int32_t tid;
    uint32_t is_without;         /* there is no ring for this thread: its events are lost */
    prof_inline_cell first_cells[PROFI_FIRST_CELLS]; /* a thread with few events takes no chunk */
} profi_ring;

/* How much of the region rings may take; 0: none are kept.  Once, before the first thread attaches. */
void profi_rings_open(uint64_t bytes);

/* A thread's ring begins, and ends: what it holds stays in the pool until it is recycled. */
typedef struct profi_thread profi_thread;
void profi_ring_attach(profi_thread *thread);
void profi_ring_turn(profi_thread *thread); /* the thread has used up its room for cells */
void profi_ring_retire(profi_thread *thread);

/* Events of all threads, exited ones included; `lost` is no longer held. */
void profi_rings_count(uint64_t *issued, uint64_t *lost);

/* An event as a reader sees it. */
typedef struct profi_event {
    uint64_t thread; /* number */
    uint64_t index;  /* of the thread's events, from 0 */
    prof_inline_cell cell;
} profi_event;

/*
 * Copies what the rings hold, chunk by chunk, while threads write: a chunk
 * that is recycled meanwhile is left out.  Returns the number of events, of
 * which at most `room` are stored.
 */
uint64_t profi_rings_copy(profi_event *events, uint64_t room);

/* A thread's ring as a reader sees it. */
typedef struct profi_ring_view {
    uint64_t thread; /* number */
    uint64_t issued; /* events until the moment of the reading */
    int32_t tid;
    char name[16];   /* for who reads it from the system: "" */
} profi_ring_view;

/* All rings at one moment. */
typedef struct profi_rings_view {
    profi_event *events;    /* what was held; behind it, without a gap, a live thread may have some that are younger */
    uint64_t event_count;
    profi_ring_view *rings; /* of live threads */
    uint64_t ring_count;
    uint64_t exited_issued; /* by threads that had ended */
} profi_rings_view;

/*
 * Reads all rings while threads write: each event that was held at the
 * moment is there, once, unless it has been recycled meanwhile.  A thread that
 * ends meanwhile waits.  0 when there is no memory for it; the caller frees
 * both arrays.
 */
int profi_rings_read(profi_rings_view *view);

/* Around fork(): the child starts with empty rings. */
void profi_rings_lock(void);
void profi_rings_unlock(void);
void profi_rings_reset(void);

#endif
