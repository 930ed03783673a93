/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The last step of events_build.c: tracks become threads and lanes, the cells
 * of each stand together, in the order of their starts.
 */
#include "events_build.h"
#include "events_thread.h"

#include "../base/text.h"
#include "../record/ring.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int is_of_one_name(const profi_events *events, const profi_build_track *track)
{
    return !track->is_mixed && strcmp(track->name, events->sites[track->site].name) == 0;
}

/* One that has its own slices only, all outermost, and that the file says is one or that is called as they are: of spans. */
static int is_lane(const profi_events *events, const profi_build_track *track)
{
    return track->tid == 0 && track->count != 0 && !track->is_nested && track->lost == 0 && track->name != NULL &&
           (track->is_lane || is_of_one_name(events, track));
}

static void add_lane(profi_events_builder *builder, uint32_t number)
{
    const profi_build_track *track = &builder->tracks[number];
    profi_events *events = builder->events;
    uint32_t site = is_of_one_name(events, track) ? track->site : profi_build_site(builder, track->name, NULL, 0);
    events->lanes[events->lane_count++] = (profi_events_lane){ site, number, number, track->count, track->process };
}

static void add_thread(profi_events *events, const profi_build_track *track, uint64_t first)
{
    profi_events_thread *thread = &events->threads[events->thread_count];
    *thread = (profi_events_thread){ .number = events->thread_count + 1, .tid = track->tid, .held = track->count,
                                     .lost = track->lost, .first = first, .count = track->count,
                                     .process = track->process };
    if (track->name != NULL && track->name[0] != '\0')
        profi_text_cut(thread->name, sizeof(thread->name), track->name);
    else if (track->tid != 0)
        snprintf(thread->name, sizeof(thread->name), "thread %d", (int)track->tid);
    else
        snprintf(thread->name, sizeof(thread->name), "track %llu", (unsigned long long)thread->number);
    events->thread_count++;
    events->lost += track->lost;
}

static int compare_lanes(const void *one, const void *other)
{
    const profi_events_lane *a = one, *b = other;
    return a->track != b->track ? (a->track < b->track ? -1 : 1) : a->number < b->number ? -1 : a->number > b->number;
}

/* A lane's `first` is its track until the lanes have their order, its `number` too. */
static void place_lanes(profi_events_builder *builder, uint64_t place)
{
    profi_events *events = builder->events;
    if (events->lane_count != 0)
        qsort(events->lanes, events->lane_count, sizeof(*events->lanes), compare_lanes);
    for (size_t i = 0; i < events->lane_count; i++) {
        profi_events_lane *lane = &events->lanes[i];
        profi_build_track *track = &builder->tracks[lane->first];
        lane->number = i > 0 && lane[-1].track == lane->track ? lane[-1].number + 1 : 0;
        lane->first = track->next = place;
        place += lane->count;
    }
}

static int make_lists(profi_events_builder *builder)
{
    profi_events *events = builder->events;
    uint64_t place = 0;
    events->threads = calloc(builder->track_count + 1, sizeof(*events->threads));
    events->lanes = calloc(builder->track_count + 1, sizeof(*events->lanes));
    if (events->threads == NULL || events->lanes == NULL)
        return ENOMEM;
    events->lost = events->lost_of_unknown;
    for (size_t i = 0; i < builder->track_count && builder->error == 0; i++) {
        profi_build_track *track = &builder->tracks[i];
        if (is_lane(events, track)) {
            add_lane(builder, (uint32_t)i);
        } else if (track->count != 0 || track->lost != 0) {
            track->next = place;
            add_thread(events, track, place);
            place += track->count;
        }
    }
    place_lanes(builder, place);
    events->held = builder->cell_count;
    events->issued = events->held + events->lost;
    return builder->error;
}

/* Whether the cells stand as they should already: so they do in a file that has one track after the other. */
static int is_in_place(const profi_events_builder *builder, const uint32_t *tracks)
{
    uint64_t run = 0; /* where the cells of the track at hand began */
    for (uint64_t i = 0; i < builder->cell_count; i++) {
        const profi_build_track *track = &builder->tracks[tracks[i]];
        if (i == 0 || tracks[i] != tracks[i - 1])
            run = i;
        if (track->next != run)
            return 0;
    }
    return 1;
}

/* Copies every cell to its track's place; 0, or an errno value. */
static int scatter(profi_events_builder *builder, const uint32_t *tracks)
{
    profi_events *events = builder->events;
    profi_spool cells = { 0 }, extras = { 0 };
    uint64_t count = builder->cell_count;
    int error = profi_spool_reserve(&cells, count * sizeof(*events->cells));
    if (error == 0 && events->extras != NULL)
        error = profi_spool_reserve(&extras, count * sizeof(*events->extras));
    if (error != 0) {
        profi_spool_fini(&cells);
        return error;
    }
    for (uint64_t i = 0; i < count; i++) {
        uint64_t to = builder->tracks[tracks[i]].next++;
        ((prof_inline_cell *)cells.data)[to] = events->cells[i];
        if (events->extras != NULL)
            ((profi_extra *)extras.data)[to] = events->extras[i];
    }
    profi_spool_fini(&events->cell_spool);
    profi_spool_fini(&events->extra_spool);
    events->cell_spool = cells;
    events->extra_spool = extras;
    events->cells = cells.data;
    events->extras = events->extras != NULL ? extras.data : NULL;
    return 0;
}

static int order_all(profi_events *events, uint64_t count)
{
    profi_spool scratch = { 0 };
    int error = profi_spool_reserve(&events->depth_spool, (count + 1) * sizeof(*events->depths));
    events->depths = events->depth_spool.data;
    for (uint32_t i = 0; error == 0 && i < events->thread_count; i++)
        if (events->threads[i].count != 0)
            error = profi_events_order(events, events->threads[i].first, events->threads[i].count, &scratch);
    profi_spool_fini(&scratch);
    for (size_t i = 0; error == 0 && i < events->lane_count; i++) {
        const profi_events_lane *lane = &events->lanes[i];
        memset(&events->depths[lane->first], 0, lane->count * sizeof(*events->depths));
        for (uint64_t at = lane->first; at < lane->first + lane->count; at++)
            events->cells[at].what = profi_event_what(PROFI_EVENT_SPAN, 0, profi_event_site(events->cells[at].what));
    }
    return error;
}

int profi_build_lay_out(profi_events_builder *builder)
{
    const uint32_t *tracks = builder->track_spool.data;
    int error = make_lists(builder);
    if (error != 0)
        return error;
    if (!is_in_place(builder, tracks))
        error = scatter(builder, tracks);
    profi_spool_fini(&builder->track_spool);
    return error ? error : order_all(builder->events, builder->cell_count);
}
