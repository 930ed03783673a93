/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pools: memory of which all threads share one, such as a GPU's, as its
 * allocator tells of it.  A pool has two levels, what is allocated of it and
 * what is reserved; each call of a site that asks has their values at its
 * begin and end and the highest in between, whoever allocated.
 *
 *     allocators ──changes, with ticks──▶ a queue for each pool ─┐
 *                                                                ├─sweep, in the order of ticks─▶ figures by context
 *     threads ──boundaries of calls──▶ chunks of each thread ────┘
 *
 * What has happened is put in order later: up to the moment before which
 * nothing can come any more.  For a pool that is told at once that is now, for
 * one whose news come late (a driver's records) what was promised.  So one way
 * serves both, and calls that have ended have their figures when their news
 * are there.
 *
 * Bounded: where a queue is full the pool's levels are not known for a while,
 * and where there is no chunk the call is not told.  The calls that this
 * concerns have no figures, and are counted; the others' stay exact.
 */
#ifndef PROFI_LEVELS_H
#define PROFI_LEVELS_H

#include "level_points.h"
#include "level_sweep.h"

enum { PROFI_POOLS_MOST = PROFI_LEVELS_MOST / 2, PROFI_POOL_NAME_ROOM = 32 };
enum { PROFI_POOL_ALLOCATED, PROFI_POOL_RESERVED, PROFI_POOL_LEVELS };

/* ---- for those who tell: any thread, also under an allocator's lock; not in a signal handler ---- */

/* Finds or makes a pool, empty; PROFI_POOLS_MOST where there are no more.  `is_late`: its news come with ticks of the past. */
unsigned profi_pool_of(const char *name, int is_late);

/* It is this much from now on; it changed just now by so much. */
void profi_pool_set(unsigned pool, uint64_t allocated_bytes, uint64_t reserved_bytes);
void profi_pool_change(unsigned pool, int64_t allocated_bytes, int64_t reserved_bytes);

/*
 * It changes just now, by what the next profi_pool_change() of it will say;
 * until then nothing that comes later is put in order.
 */
void profi_pool_open_change(unsigned pool);

/* Of a pool whose news come late: it changed at `tick`; and nothing of before `tick` is to come. */
void profi_pool_change_at(unsigned pool, uint64_t tick, int64_t allocated_bytes, int64_t reserved_bytes);
void profi_pool_promise(unsigned pool, uint64_t tick);

/* The same, by nobody knows how much: it is not known from then on, until it is set. */
void profi_pool_lose_at(unsigned pool, uint64_t tick);

/*
 * Of such a pool: from now on somebody tells of it, and it holds nothing; no
 * change is of before the tick that is returned.  From `tick` on nobody does:
 * it is shown with what it held then, calls that go on have no figures, and
 * others do not wait for it.
 */
uint64_t profi_pool_begin(unsigned pool);
void profi_pool_end(unsigned pool, uint64_t tick);

/* In a forked child, before it has threads: it never held anything, and nobody tells of it. */
void profi_pool_forget(unsigned pool);

/* How often it had to empty its cache and try again; and that it could not give `bytes`, to the scope of the calling thread. */
void profi_pool_retry(unsigned pool, uint64_t times);
void profi_pool_exhausted(unsigned pool, uint64_t bytes);

/*
 * What closes an open change, if there is one: called before anything is read,
 * on a thread that holds no lock of the allocator.
 */
void profi_pool_settle_by(unsigned pool, void (*settle)(void *user), void *user);

/* ---- for readers ---- */

/* Puts in order what can be: then the figures are those of all calls that have ended, as far as news have come. */
void profi_levels_sweep(void);

/* The same, without closing open changes, unless somebody does: tried now and then, such as when a chunk is full. */
void profi_levels_sweep_some(void);

/* What the calls of a context had of a level. */
typedef struct profi_level_figures {
    uint64_t calls, failed_calls; /* the latter: the level was not known all the time */
    int64_t growth;               /* end less begin, of all calls */
    int64_t high;                 /* the highest in any call, and what it was at that call's begin and end */
    int64_t high_begin, high_end;
    int64_t rise;                 /* the most that it rose above its begin in any call */
} profi_level_figures;

/* Between these two the figures stay as they are. */
void profi_levels_lock(void);
void profi_levels_unlock(void);
int profi_level_figures_of(uint32_t context, unsigned pool, unsigned level, profi_level_figures *figures); /* 0: none */

enum { PROFI_POOL_OOMS = 8 };
typedef struct profi_pool_view {
    const char *name;
    uint32_t is_known; /* its levels are */
    uint32_t is_late, has_ended; /* nobody tells of it any more: what follows was so then */
    int64_t now[PROFI_POOL_LEVELS], high[PROFI_POOL_LEVELS]; /* as told, also outside of scopes */
    int64_t at_mark[PROFI_POOL_LEVELS];
    uint64_t event_count, lost_event_count, late_event_count;
    uint64_t retry_count, exhausted_count;
    struct profi_pool_exhaustion {
        uint64_t bytes;
        uint32_t context; /* of the innermost scope of the thread, or 0 */
    } exhaustions[PROFI_POOL_OOMS]; /* the first ones */
} profi_pool_view;
unsigned profi_pool_count(void);
profi_pool_view profi_pool_at(unsigned pool);

/* After loading: what holds now is shown beside the peaks. */
void profi_pools_mark(void);
int profi_pools_are_marked(void);

/*
 * Notes the levels over time from now on, for the timeline: see level_points.h.
 * And takes what was noted, up to where all has been put in order.
 */
void profi_levels_trace(uint64_t interval_ticks);
size_t profi_levels_take_points(profi_level_point *into, size_t room);
uint64_t profi_levels_lost_points(void);

/* Calls of which nothing was told, since there was no memory. */
uint64_t profi_levels_lost_calls(void);

/* Around a fork.  And in a child: calls are the parent's, pools stay; `is_new_region`: what lay in the region is gone. */
void profi_levels_before_fork(void);
void profi_levels_after_fork(void);
void profi_levels_forget(int is_new_region);

#endif
