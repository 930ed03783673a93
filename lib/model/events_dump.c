/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a dump has that other streams have not: a window, and scopes that were
 * open a moment before its events were read.
 */
#include "events_thread.h"

#include "../record/open.h"

#include <string.h>

/* Leaves out what ended before the window: the first of a thread's cells, and spans anywhere. */
void profi_events_cut_window(profi_events_maker *maker, profi_events_thread *thread, size_t first_span)
{
    profi_events *events = maker->events;
    uint64_t first = thread->first, count = maker->cell_count - first, before = 0, spans = first_span;
    while (before < count && events->cells[first + before].end < maker->since)
        before++;
    memmove(&events->cells[first], &events->cells[first + before], (count - before) * sizeof(*events->cells));
    if (events->extras != NULL)
        memmove(&events->extras[first], &events->extras[first + before], (count - before) * sizeof(*events->extras));
    maker->cell_count -= before;
    for (size_t i = first_span; i < maker->span_count; i++)
        if (maker->spans[i].cell.end >= maker->since)
            maker->spans[spans++] = maker->spans[i];
    thread->before = before + maker->span_count - spans;
    maker->span_count = spans;
    thread->held -= thread->before;
    events->before += thread->before;
}

/*
 * Those still open are the outermost.  An event at the level of a scope or
 * further out that is younger tells that it had ended, and what lay inside it
 * too.
 */
size_t profi_events_ended_since(const profi_events_maker *maker, const profi_events_thread *thread, const profi_open_cell *opens,
                                size_t count)
{
    const prof_inline_cell *cells = &maker->events->cells[thread->first];
    size_t inner = 0; /* the innermost that may be open */
    for (uint64_t i = maker->cell_count - thread->first; i-- > 0 && inner < count && cells[i].end >= opens[count - 1].start;) {
        uint32_t level = profi_event_level(cells[i].what);
        uint64_t start = profi_events_start_of(&cells[i]);
        size_t low = inner, high = count; /* before `low`: at this level or further in */
        while (low < high) {
            size_t middle = low + (high - low) / 2;
            if (profi_event_level(opens[middle].what) < level)
                high = middle;
            else
                low = middle + 1;
        }
        if (low > inner && opens[low - 1].start <= start && opens[low - 1].start < cells[i].end)
            inner = low;
    }
    return inner;
}
