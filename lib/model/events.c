/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The event stream of this process: record/'s copy of the rings, sorted,
 * nested and counted.  Beside recorded.c the one file of model/ that knows
 * record/.
 *
 * The rings hold scopes in the order in which they ended, each with its level
 * in the call tree.  That tells which lies in which also where clock ticks
 * are coarse and times equal; nanoseconds are made when a slice is read.
 */
#include "events.h"

#include "../base/error.h"
#include "../base/text.h"
#include "../record/record.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* By thread, in the order in which scopes ended. */
static int compare_events(const void *one, const void *other)
{
    const profi_event *a = one, *b = other;
    if (a->thread != b->thread)
        return a->thread < b->thread ? -1 : 1;
    return a->index < b->index ? -1 : a->index > b->index;
}

static int compare_rings(const void *one, const void *other)
{
    const profi_ring_view *a = one, *b = other;
    return a->thread < b->thread ? -1 : a->thread > b->thread;
}

/* Of a thread that has ended there is no ring any more, and its name went with it. */
static void add_thread(profi_events *events, const profi_ring_view *ring, uint64_t number)
{
    profi_events_thread *thread = &events->threads[events->thread_count++];
    char clean[PROFI_TEXT_MAX] = "";
    *thread = (profi_events_thread){ .number = number, .tid = ring != NULL ? ring->tid : 0 };
    if (ring != NULL)
        profi_text_clean(clean, ring->name, strlen(ring->name));
    if (clean[0] != '\0')
        snprintf(thread->name, sizeof(thread->name), "%.63s", clean);
    else
        snprintf(thread->name, sizeof(thread->name), "thread %llu", (unsigned long long)number);
}

/*
 * Counts a thread's events, which are sorted and begin at `first`.  What a live
 * thread had issued is known, and a few that came while the ring was read go
 * on from there without a gap; of one that has ended, what it issued up to
 * the last that is held is known, and of all of those together the rest.
 */
static void count_thread(profi_events *events, const profi_rings_view *rings, const profi_ring_view *ring, uint64_t first)
{
    profi_events_thread *thread = &events->threads[events->thread_count - 1];
    uint64_t issued = ring != NULL ? ring->issued : 0;
    thread->first = first;
    for (uint64_t i = first; i < rings->event_count && rings->events[i].thread == thread->number; i++) {
        issued = profi_max_u64(issued, rings->events[i].index + 1);
        thread->held++;
    }
    thread->lost = issued - thread->held;
    events->issued += issued;
    events->held += thread->held;
    if (ring == NULL)
        events->lost_of_unknown -= issued;
}

/* One entry for each thread that has issued anything: two lists by number, merged. */
static int list_threads(profi_events *events, const profi_rings_view *rings)
{
    uint64_t groups = rings->ring_count;
    for (uint64_t i = 0; i < rings->event_count; i++)
        groups += i == 0 || rings->events[i].thread != rings->events[i - 1].thread;
    events->threads = calloc(groups + 1, sizeof(*events->threads));
    if (events->threads == NULL)
        return 0;
    events->lost_of_unknown = rings->exited_issued;
    for (uint64_t r = 0, e = 0; r < rings->ring_count || e < rings->event_count;) {
        const profi_ring_view *ring = r < rings->ring_count ? &rings->rings[r] : NULL;
        uint64_t of_event = e < rings->event_count ? rings->events[e].thread : UINT64_MAX;
        if (ring != NULL && ring->thread > of_event)
            ring = NULL;
        r += ring != NULL;
        if (ring != NULL && ring->issued == 0)
            continue;
        add_thread(events, ring, ring != NULL ? ring->thread : of_event);
        count_thread(events, rings, ring, e);
        e += events->threads[events->thread_count - 1].held;
    }
    events->issued += events->lost_of_unknown;
    events->lost = events->issued - events->held;
    return 1;
}

/* Whether a scope that ended earlier lies in one that ended later; the clocks of two cores may disagree a little. */
static int lies_in(const profi_event *inner, const profi_event *outer)
{
    return profi_event_level(inner->cell.what) > profi_event_level(outer->cell.what) &&
           (inner->cell.start >= outer->cell.start || inner->cell.end > outer->cell.start);
}

/*
 * Brings a thread's events, which stand in the order of their ends, into the
 * order of their starts.  Both are orders of one forest: all that lies in an
 * event stands right before it, so what a new one encloses is found by
 * stepping back from subtree to subtree; and in the order of starts it stands
 * behind all that stood before its subtree and behind those that enclose it:
 *
 *     place = place by end - (size of its subtree - 1) + depth
 *
 * While this goes on, an event's `index` is the size of its subtree and
 * `thread` the place of what encloses it; then `index` is where it goes.  In
 * the end `thread` is its depth.
 */
static void order_by_start(profi_event *events, uint64_t count)
{
    const uint64_t outermost = UINT64_MAX;
    for (uint64_t i = 0; i < count; i++) {
        uint64_t below = i; /* events from here to i lie in i */
        while (below > 0 && lies_in(&events[below - 1], &events[i])) {
            events[below - 1].thread = i;
            below -= events[below - 1].index;
        }
        events[i].index = i - below + 1;
        events[i].thread = outermost;
    }
    for (uint64_t i = count; i-- > 0;) {
        uint64_t outer = events[i].thread;
        events[i].thread = outer == outermost ? 0 : events[outer].thread + 1;
        events[i].index = i + 1 - events[i].index + events[i].thread;
    }
    for (uint64_t i = 0; i < count; i++)
        while (events[i].index != i) {
            uint64_t place = events[i].index;
            profi_event there = events[place];
            events[place] = events[i];
            events[i] = there;
        }
}

static int copy_sites(profi_events *events, const profi_events_copy *copy)
{
    events->sites = calloc(copy->site_count + 1, sizeof(*events->sites));
    if (events->sites == NULL)
        return 0;
    events->site_count = (uint32_t)copy->site_count;
    for (size_t i = 0; i < copy->site_count; i++)
        events->sites[i] = (profi_events_site){ copy->sites[i].name, copy->sites[i].file, copy->sites[i].line };
    return 1;
}

static prof_status fill(profi_events *events, const char *run_name, prof_error *err)
{
    profi_events_copy copy;
    prof_status status = profi_events_take(&copy, err);
    if (status != PROF_OK)
        return status;
    profi_rings_view *rings = &copy.rings;
    qsort(rings->rings, rings->ring_count, sizeof(*rings->rings), compare_rings);
    if (rings->event_count != 0)
        qsort(rings->events, rings->event_count, sizeof(*rings->events), compare_events);
    events->run_name = strdup(run_name);
    if (events->run_name == NULL || !copy_sites(events, &copy) || !list_threads(events, rings))
        status = profi_fail(err, PROF_E_NO_MEMORY, "no memory for the event stream");
    for (uint32_t i = 0; i < events->thread_count; i++)
        order_by_start(&rings->events[events->threads[i].first], events->threads[i].held);
    events->source = rings->events;
    rings->events = NULL;
    profi_events_copy_fini(&copy);
    return status;
}

prof_status profi_events_open(const char *run_name, profi_events **events, prof_error *err)
{
    profi_events *opened = calloc(1, sizeof(*opened));
    if (opened == NULL)
        return profi_fail(err, PROF_E_NO_MEMORY, "no memory for the event stream");
    opened->pid = getpid();
    prof_status status = fill(opened, run_name, err);
    if (status != PROF_OK) {
        profi_events_close(opened);
        return status;
    }
    opened->scale = profi_clock_scale_now();
    opened->taken = profi_clock_moment_now();
    *events = opened;
    return PROF_OK;
}

void profi_events_close(profi_events *events)
{
    if (events == NULL)
        return;
    free((char *)events->run_name);
    free(events->sites);
    free(events->threads);
    free(events->source);
    free(events);
}

size_t profi_events_read(const profi_events *events, uint32_t thread, uint64_t from, profi_slice *slices, size_t room)
{
    const profi_events_thread *of = &events->threads[thread];
    size_t count = 0;
    for (; count < room && from < of->held; count++, from++) {
        const profi_event *event = &events->source[of->first + from];
        slices[count] = (profi_slice){ .site = profi_event_site(event->cell.what), .depth = (uint32_t)event->thread,
                                       .start_ns = profi_clock_at(&events->scale, event->cell.start),
                                       .end_ns = profi_clock_at(&events->scale, event->cell.end) };
    }
    return count;
}
