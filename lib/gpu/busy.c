/* SPDX-License-Identifier: Apache-2.0 */
/* See busy.h. */
#include "busy.h"

#include <string.h>

/* Forgets the earliest interval, whose length is in the sum. */
static void settle_first(profi_busy *busy)
{
    busy->settled = busy->kept[0].end;
    memmove(&busy->kept[0], &busy->kept[1], (busy->count - 1) * sizeof(busy->kept[0]));
    busy->count--;
}

void profi_busy_add(profi_busy *busy, uint64_t start, uint64_t end)
{
    if (start < busy->settled) {
        busy->is_bound = 1;
        start = busy->settled;
    }
    if (start >= end)
        return;
    /* Those from `first` up to before `last` touch it, and become one with it. */
    unsigned first = busy->count, last;
    while (first > 0 && busy->kept[first - 1].end >= start)
        first--;
    for (last = first; last < busy->count && busy->kept[last].start <= end; last++)
        busy->sum -= busy->kept[last].end - busy->kept[last].start;
    if (last > first) {
        start = profi_min_u64(start, busy->kept[first].start);
        end = profi_max_u64(end, busy->kept[last - 1].end);
    }
    busy->sum += end - start;
    if (last == first && busy->count == PROFI_BUSY_KEPT) {
        if (first == 0) { /* the earliest of all: it is the one to be forgotten */
            busy->settled = end;
            return;
        }
        settle_first(busy);
        first--;
        last--;
    }
    memmove(&busy->kept[first + 1], &busy->kept[last], (busy->count - last) * sizeof(busy->kept[0]));
    busy->count = busy->count + 1 - (last - first);
    busy->kept[first].start = start;
    busy->kept[first].end = end;
}
