/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a dump has that other streams have not: a window, and the scopes that
 * are open.  These are put behind a thread's events as if they all ended in
 * the end, innermost first: so the pass that nests what ended nests them too.
 */
#include "events_thread.h"

#include "../record/open.h"
#include "../record/ring.h"

#include <stdlib.h>
#include <string.h>

/* Leaves out what ended before the window: the first of a thread's cells, and spans anywhere. */
static void cut_window(profi_events_maker *maker, profi_events_thread *thread, size_t first_span)
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
 * How many of a thread's open scopes, outermost first, were still open when
 * its events, in the order of their ends, were read.  An event at the level
 * of a scope or further out that is younger tells that it had ended, and what
 * lay inside it too.
 */
static size_t count_still_open(const profi_open_scope *scopes, size_t count, const prof_inline_cell *cells, uint64_t held)
{
    for (uint64_t i = held; i-- > 0 && count > 0 && cells[i].end >= scopes[0].start;) {
        uint32_t level = profi_event_level(cells[i].what);
        uint64_t start = profi_events_start_of(&cells[i]);
        size_t outer = 0, end = count;
        while (outer < end) {
            size_t middle = outer + (end - outer) / 2;
            if (scopes[middle].level < level)
                outer = middle + 1;
            else
                end = middle;
        }
        if (outer < count && scopes[outer].start <= start && scopes[outer].start < cells[i].end)
            count = outer;
    }
    return count;
}

static void add_open(profi_events_maker *maker, profi_events_thread *thread, const profi_open_thread *of)
{
    const profi_open_scope *scopes = &maker->events->stacks->opens->scopes[of->first];
    profi_open_scope *timed = malloc(of->count * sizeof(*timed));
    size_t count = 0;
    if (timed == NULL) {
        maker->is_memory_spent = 1;
        return;
    }
    for (size_t i = 0; i < of->count; i++)
        if (scopes[i].start != 0) /* what is not timed has no place on a timeline */
            timed[count++] = scopes[i];
    count = count_still_open(timed, count, &maker->events->cells[thread->first], maker->cell_count - thread->first);
    for (size_t i = count; i-- > 0;)
        profi_events_cell(maker, &(prof_inline_cell){ profi_event_what(PROFI_EVENT_SCOPE, timed[i].level, timed[i].site),
                                                      timed[i].start, PROFI_STILL_OPEN });
    thread->open_count = count;
    free(timed);
}

void profi_events_finish_dump(profi_events_maker *maker, profi_events_thread *thread, size_t first_span)
{
    const profi_open_thread *of = thread->tid != 0 ? profi_open_stacks_find(maker->events->stacks, thread->number) : NULL;
    cut_window(maker, thread, first_span);
    if (of != NULL)
        add_open(maker, thread, of);
}
