/* SPDX-License-Identifier: Apache-2.0 */
/* See event_walk.h. */
#include "event_walk.h"

#include "../base/array.h"

#include <stdlib.h>

enum { BATCH = 256 };

typedef struct open_slice {
    uint64_t end_ns;
    uint32_t site;
} open_slice;

typedef struct walk {
    const profi_walker *walker;
    open_slice *open;
    size_t count, room;
    uint64_t last_ns;
    profi_slice batch[BATCH];
} walk;

/* ---- the callbacks that there are ---- */

static void tell_start(const profi_walker *walker, const profi_walk_track *track, uint64_t ns)
{
    if (walker->start != NULL)
        walker->start(walker->user, track, ns);
}

static void tell_next(const profi_walker *walker, const profi_walk_track *track, uint64_t number)
{
    if (walker->next != NULL)
        walker->next(walker->user, track, number);
}

/* ---- one track ---- */

static uint64_t advance(walk *w, uint64_t ns) { return w->last_ns = profi_max_u64(w->last_ns, ns); }

static void close_down_to(walk *w, size_t depth)
{
    while (w->count > depth) {
        const open_slice *slice = &w->open[--w->count];
        int is_open = slice->end_ns == PROFI_STILL_OPEN;
        uint64_t end = advance(w, is_open ? w->walker->events->taken.monotonic_ns : slice->end_ns);
        if (w->walker->end != NULL)
            w->walker->end(w->walker->user, slice->site, end, is_open);
    }
}

static int put(walk *w, profi_slice *slice)
{
    close_down_to(w, slice->depth);
    slice->start_ns = advance(w, slice->start_ns);
    if (slice->kind == PROFI_SLICE_COUNTER || slice->kind == PROFI_SLICE_INSTANT) {
        if (w->walker->point != NULL)
            w->walker->point(w->walker->user, slice);
        return 1;
    }
    if (!profi_array_grow(&w->open, &w->room, w->count, sizeof(*w->open)))
        return 0;
    if (w->walker->begin != NULL)
        w->walker->begin(w->walker->user, slice);
    w->open[w->count++] = (open_slice){ slice->end_ns, slice->site };
    return 1;
}

int profi_walk(const profi_walker *walker, const profi_walk_track *track)
{
    walk *w = calloc(1, sizeof(*w));
    int ok = w != NULL;
    size_t count;
    if (ok)
        w->walker = walker;
    for (uint64_t done = 0; ok; done += count) {
        count = profi_events_read(walker->events, track->first, track->count, done, w->batch, BATCH);
        if (done == 0)
            tell_start(walker, track, count != 0 ? w->batch[0].start_ns : walker->events->taken.monotonic_ns);
        if (count == 0)
            break;
        for (size_t i = 0; i < count && ok; i++) {
            tell_next(walker, track, done + i);
            ok = put(w, &w->batch[i]);
        }
    }
    if (ok)
        close_down_to(w, 0);
    if (w != NULL)
        free(w->open);
    free(w);
    return ok;
}
