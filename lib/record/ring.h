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
 * Cells are events, or details of one: an argument, a flow.  Details stand
 * before their event, in its thread.  Only events are counted: what a thread has
 * issued and what the rings still hold are known exactly from the chunks'
 * first indices, the rest is lost.
 */
#ifndef PROFI_RING_H
#define PROFI_RING_H

#include "../base/base.h"
#include <profcore/inline.h>

/*
 * What a cell is: the highest byte of its first word.  The lower half is the
 * id of a site (of an argument, its name's), and between stands a level in the
 * thread's tree, 1 for the outermost: where ticks are coarse nothing else
 * tells a child from a sibling.  An event's own level, or that of the scope
 * which a detail belongs to, PROFI_EVENT_LEVEL_MAX for that of the next event
 * that is no scope.
 *
 *     kind                     second word        third word
 *     SCOPE                    start              end
 *     INSTANT                  time               time
 *     COUNTER                  value, a double    time
 *     SPAN                     start              end; its thread is the one that ended it; for a level it has
 *                                                 the id of the site that names its track plus 1, 0: its own
 *     INT, DOUBLE              value              time
 *     TEXT                     bytes              time; the bytes follow in cells of MORE
 *     MORE                     16 bytes of a text
 *     FLOW, FLOW_END           id                 time
 *     REQUEST                  its id, low        and high; of all cells behind it, 0: of none
 *     RUN                      thread's number    index of its first event
 *     WHO                      name, first half   and second; the lower half of the first word is its tid
 *
 * A run says whose the cells behind it are; the first word is made by
 * profi_event_run().  Behind it stands who that was, for the system has
 * forgotten it by then.
 */
enum {
    PROFI_EVENT_RUN = 1,
    PROFI_EVENT_WHO,
    PROFI_EVENT_SCOPE,
    PROFI_EVENT_INSTANT,
    PROFI_EVENT_COUNTER,
    PROFI_EVENT_SPAN,
    PROFI_DETAIL_INT, /* from here on: no events */
    PROFI_DETAIL_DOUBLE,
    PROFI_DETAIL_TEXT,
    PROFI_DETAIL_MORE,
    PROFI_DETAIL_FLOW,
    PROFI_DETAIL_FLOW_END,
    PROFI_DETAIL_REQUEST
};
#define PROFI_EVENT_KIND_SHIFT 56
#define PROFI_EVENT_LEVEL_SHIFT 32
#define PROFI_EVENT_LEVEL_MAX 0xffffffu /* and all that lie deeper */

static inline uint64_t profi_event_what(unsigned kind, uint64_t level, uint32_t site)
{
    return (uint64_t)kind << PROFI_EVENT_KIND_SHIFT | profi_min_u64(level, PROFI_EVENT_LEVEL_MAX) << PROFI_EVENT_LEVEL_SHIFT | site;
}
static inline unsigned profi_event_kind(uint64_t what) { return (unsigned)(what >> PROFI_EVENT_KIND_SHIFT); }
static inline uint32_t profi_event_site(uint64_t what) { return (uint32_t)what; }
static inline uint32_t profi_event_level(uint64_t what) { return (uint32_t)(what >> PROFI_EVENT_LEVEL_SHIFT) & PROFI_EVENT_LEVEL_MAX; }
static inline int profi_event_is_detail(uint64_t what) { return profi_event_kind(what) >= PROFI_DETAIL_INT; }

/* A span on the track that another site names, which is its own for those of a program; and that site. */
static inline uint64_t profi_event_span(uint32_t site, uint32_t track)
{
    return profi_event_what(PROFI_EVENT_SPAN, (uint64_t)track + 1, site);
}
static inline uint32_t profi_event_track(uint64_t what)
{
    uint32_t level = profi_event_level(what);
    return level != 0 ? level - 1 : profi_event_site(what);
}

/* A run of so many cells, and how many details of its thread came before. */
#define PROFI_RUN_COUNT_BITS 16
static inline uint64_t profi_event_run(uint64_t count, uint64_t details)
{
    const uint64_t room = (uint64_t)1 << (PROFI_EVENT_KIND_SHIFT - PROFI_RUN_COUNT_BITS);
    return (uint64_t)PROFI_EVENT_RUN << PROFI_EVENT_KIND_SHIFT | (details & (room - 1)) << PROFI_RUN_COUNT_BITS | count;
}
static inline uint64_t profi_event_run_details(uint64_t what)
{
    return what << (64 - PROFI_EVENT_KIND_SHIFT) >> (64 - PROFI_EVENT_KIND_SHIFT + PROFI_RUN_COUNT_BITS);
}

/* Who a thread is to the system; all zero: not known. */
typedef struct profi_who {
    int32_t tid;
    char name[16]; /* as it was when the thread attached, or ended */
} profi_who;

static inline prof_inline_cell profi_who_cell(const profi_who *who)
{
    prof_inline_cell cell = { profi_event_what(PROFI_EVENT_WHO, 0, (uint32_t)who->tid), 0, 0 };
    __builtin_memcpy(&cell.start, who->name, sizeof(cell.start));
    __builtin_memcpy(&cell.end, who->name + sizeof(cell.start), sizeof(cell.end));
    return cell;
}

static inline profi_who profi_who_of(const prof_inline_cell *cell)
{
    profi_who who = { .tid = (int32_t)profi_event_site(cell->what) };
    __builtin_memcpy(who.name, &cell->start, sizeof(cell->start));
    __builtin_memcpy(who.name + sizeof(cell->start), &cell->end, sizeof(cell->end) - 1);
    return who;
}

typedef struct profi_chunk profi_chunk;

enum { PROFI_FIRST_CELLS = 8 };

/* A part of each thread, written by it, under the pool's lock but for `details`, and for what a thread without a ring has. */
typedef struct profi_ring {
    struct profi_ring *previous, *next; /* of all rings */
    profi_chunk *current;        /* being written; NULL: first_cells are */
    profi_chunk *oldest, *newest; /* full ones, linked by age */
    uint64_t chunk_count;        /* all of them */
    uint64_t first_index;        /* events that the thread issued before those in `current` or in first_cells */
    uint64_t first_detail;       /* and details */
    uint64_t details;            /* in `current` or in first_cells; raised before the cell is there */
    uint64_t thread;             /* the thread's number; 0: what exited threads left */
    profi_who who;
    uint32_t is_without;         /* there is no ring for this thread: its events are lost; fixed when it attaches */
    uint64_t request[2];         /* what is in force, low and high */
    uint64_t streamed;           /* events of it that are in the stream, and nowhere else */
    uint64_t counted_with;       /* the pool's exited_issued from the moment on when it counts this ring's events; 0: before */
    prof_inline_cell first_cells[PROFI_FIRST_CELLS]; /* a thread with few events takes no chunk */
} profi_ring;

/* How much of the region rings may take; 0: none are kept.  Once, before the first thread attaches. */
void profi_rings_open(uint64_t bytes);

/* A thread's ring begins, and ends: what it holds stays in the pool until it is recycled. */
typedef struct profi_thread profi_thread;
void profi_ring_attach(profi_thread *thread);
void profi_ring_turn(profi_thread *thread); /* the thread has used up its room for cells */
void profi_ring_retire(profi_thread *thread);

/*
 * Writes a cell of the calling thread, which a signal handler must not find
 * between two scopes: it is away, or stands at its busy node.
 */
void profi_ring_write(profi_thread *thread, uint64_t what, uint64_t start, uint64_t end);
void profi_ring_write_detail(profi_thread *thread, uint64_t what, uint64_t start, uint64_t end);

/*
 * For who streams: a full chunk, the oldest of a ring, which is no ring's any
 * more and stays as it is until it is given back; NULL where there is none.
 * Its events are held until then, and lost where is_lost is set.
 */
profi_chunk *profi_rings_take_full(void);
void profi_rings_give_back(profi_chunk *chunk, int is_lost);

/* Scopes of the calling process's threads shorter than this stay out of the rings; for threads that attach later. */
void profi_rings_set_shortest(uint64_t ticks);

/* Events of all threads, exited ones included: issued, of them no longer held, and left out for being short. */
typedef struct profi_rings_total {
    uint64_t issued, lost, filtered;
} profi_rings_total;
profi_rings_total profi_rings_count(void);

/* Cells that follow each other in one thread, none missing between them. */
typedef struct profi_segment {
    uint64_t thread;       /* number */
    uint64_t first_index;  /* events that the thread issued before */
    uint64_t first_detail; /* and details */
    uint64_t first_cell, cell_count; /* in the view's cells */
    profi_who who;         /* the thread; of one that lives its ring knows better */
} profi_segment;

/* A thread's ring as a reader sees it. */
typedef struct profi_ring_view {
    uint64_t thread;   /* number */
    uint64_t issued;   /* events until the moment of the reading */
    uint64_t filtered;
    uint64_t streamed; /* of `issued`: held no more, for they are in the stream */
    profi_who who;     /* its name is for who reads it from the system: "" */
} profi_ring_view;

/* All rings at one moment. */
typedef struct profi_rings_view {
    prof_inline_cell *cells; /* what was held; behind it, without a gap, a live thread may have some that are younger */
    uint64_t cell_count;
    profi_segment *segments; /* in no order */
    size_t segment_count;
    profi_ring_view *rings;  /* of live threads */
    uint64_t ring_count;
    uint64_t exited_issued, exited_filtered, exited_streamed; /* by threads that had ended */
} profi_rings_view;

/*
 * Reads all rings while threads write: each cell that was held at the moment
 * is there, once, unless it has been recycled meanwhile.  A thread that ends
 * meanwhile waits.  0 when there is no memory for it: the view is empty then.
 * A chunk that is given back to the pool meanwhile is missing.
 */
int profi_rings_read(profi_rings_view *view);
void profi_rings_view_fini(profi_rings_view *view);

/* Begins a segment behind the cells of a view that is being filled; NULL when memory is spent. */
profi_segment *profi_rings_view_add(profi_rings_view *view, size_t *segment_room, uint64_t thread, uint64_t first_index,
                                    uint64_t first_detail);

/* Puts rings in the order of their numbers, and segments in that of their threads and of their cells. */
void profi_rings_view_sort(profi_rings_view *view);

/* In a view that is sorted: a thread's ring; NULL where it has none. */
const profi_ring_view *profi_rings_view_find(const profi_rings_view *view, uint64_t thread);

/* Around fork(): the child starts with empty rings. */
void profi_rings_lock(void);
void profi_rings_unlock(void);
void profi_rings_reset(void);

#endif
