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

typedef struct profi_walker {
    const profi_events *events;
    void *user;
    void (*begin)(void *user, const profi_slice *slice);
    /* A slice that has not ended ends with the last event, and is_open says so. */
    void (*end)(void *user, uint32_t site, uint64_t ns, int is_open);
    void (*point)(void *user, const profi_slice *slice); /* instants and values */
} profi_walker;

/* Walks one track; on it time does not go back, whatever two cores' clocks say.  0 when memory is spent. */
int profi_walk(const profi_walker *walker, const profi_walk_track *track);

#endif
