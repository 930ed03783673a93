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

static uint64_t advance(walk *w, uint64_t ns) { return w->last_ns = profi_max_u64(w->last_ns, ns); }

static void close_down_to(walk *w, size_t depth)
{
    while (w->count > depth) {
        const open_slice *slice = &w->open[--w->count];
        int is_open = slice->end_ns == PROFI_STILL_OPEN;
        uint64_t end = is_open ? w->walker->events->taken.monotonic_ns : slice->end_ns;
        w->walker->end(w->walker->user, slice->site, advance(w, end), is_open);
    }
}

static int put(walk *w, profi_slice *slice)
{
    close_down_to(w, slice->depth);
    slice->start_ns = advance(w, slice->start_ns);
    if (slice->kind == PROFI_SLICE_COUNTER || slice->kind == PROFI_SLICE_INSTANT) {
        w->walker->point(w->walker->user, slice);
        return 1;
    }
    if (!profi_array_grow(&w->open, &w->room, w->count, sizeof(*w->open)))
        return 0;
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
        if (count == 0)
            break;
        for (size_t i = 0; i < count && ok; i++)
            ok = put(w, &w->batch[i]);
    }
    if (ok)
        close_down_to(w, 0);
    if (w != NULL)
        free(w->open);
    free(w);
    return ok;
}
