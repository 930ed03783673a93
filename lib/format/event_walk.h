/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An event stream as most timeline formats want it: each track's slices
 * begin and end in the order of time, one inside the other.
 */
#ifndef PROFI_EVENT_WALK_H
#define PROFI_EVENT_WALK_H

#include "../model/events.h"

/* A thread, or a lane of spans. */
typedef struct profi_walk_track {
    const profi_events_thread *thread; /* NULL: a lane */
    const profi_events_lane *lane;     /* NULL: a thread */
    uint64_t first, count;
} profi_walk_track;

/* What is NULL is not called. */
typedef struct profi_walker {
    const profi_events *events;
    void *user;
    /* Before all else, once: when the first slice begins, or, where there is none, the last moment. */
    void (*start)(void *user, const profi_walk_track *track, uint64_t ns);
    /* Before each slice and the ends that it brings about: how many slices there were. */
    void (*next)(void *user, const profi_walk_track *track, uint64_t number);
    void (*begin)(void *user, const profi_slice *slice);
    /* A slice that has not ended ends with the last event, and is_open says so. */
    void (*end)(void *user, uint32_t site, uint64_t ns, int is_open);
    void (*point)(void *user, const profi_slice *slice); /* instants and values */
} profi_walker;

/* Walks one track; on it time does not go back, whatever two cores' clocks say.  0 when memory is spent. */
int profi_walk(const profi_walker *walker, const profi_walk_track *track);

static inline profi_walk_track profi_walk_thread(const profi_events_thread *thread)
{
    return (profi_walk_track){ .thread = thread, .first = thread->first, .count = thread->count };
}

static inline profi_walk_track profi_walk_lane(const profi_events_lane *lane)
{
    return (profi_walk_track){ .lane = lane, .first = lane->first, .count = lane->count };
}

/* Where threads that have ended, and processes that nothing names, have their numbers: Linux gives none so high (PID_MAX_LIMIT). */
enum { PROFI_FIRST_MADE_UP_ID = 1 << 22 };

static inline int64_t profi_walk_pid(const profi_events *events, uint32_t process)
{
    int64_t pid = events->processes[process].pid;
    return pid != 0 ? pid : (int64_t)PROFI_FIRST_MADE_UP_ID + process;
}

#endif
