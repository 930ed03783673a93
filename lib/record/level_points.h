/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the levels of pools were over time, for the timeline: at most some
 * points of each in an interval, of which one is the highest value, and the
 * last is what it was in the end.
 *
 *     level       ▁▂█▃▅▂▂▂▂▂▂▂▂▃         ▁▇▁
 *     interval    |         |         |         |
 *     points      ▁ █ ▂                ▃  ▇▁
 *
 * The sweep notes each change, with its own tick; a thread of the library's
 * takes what has been kept.  In the order of time: what comes too late counts
 * from the level's last change, or from where was taken up to.  Knows no clock; under the lock of the sweep.
 */
#ifndef PROFI_LEVEL_POINTS_H
#define PROFI_LEVEL_POINTS_H

#include "level_sweep.h"

typedef struct profi_level_point {
    uint64_t tick;
    int64_t value;
    uint32_t level, order; /* the latter: among those of one tick */
} profi_level_point;

/* Begins at a moment, or anew, with intervals of so many ticks; 0: ends.  No point is of before. */
void profi_level_points_begin(uint64_t tick, uint64_t interval);

/* A level changed at `tick`. */
void profi_level_points_note(unsigned level, uint64_t tick, int64_t value);

/*
 * Takes some points of before `tick`, in their order: where nothing can come
 * before it any more.  Returns how many; 0: there are no more.
 */
size_t profi_level_points_take(uint64_t tick, profi_level_point *into, size_t room);

/* Points for which there was no room, since this was asked last. */
uint64_t profi_level_points_lost(void);

#endif
