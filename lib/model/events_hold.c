/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Events of files whose order nobody promises: threads that write to one
 * track, each in its own part of the file.  They wait in a spool until the
 * file is read.  Tracks whose events came in order, which are most, then go
 * on as they came; the others' are sorted first.
 */
#include "events_build.h"

#include <stdlib.h>

/* What comes first goes first among events of one time. */
typedef struct ranked {
    uint64_t ns, longest, rank; /* longest: of what begins and says when it ends, the bits of that time, inverted */
    uint32_t track, step;
} ranked;

/* Among events of one time: what had begun before ends first, and what lasts longer begins first. */
static ranked rank_of(const profi_build_event *event, uint64_t rank)
{
    int has_end = event->kind == PROFI_BUILD_BEGIN && event->value > event->ns;
    int had_begun = event->kind == PROFI_BUILD_END && event->value != 0 && event->value < event->ns;
    return (ranked){ event->ns, has_end ? ~event->value : 0, rank, event->track, had_begun ? 0 : has_end ? 1 : 2 };
}

void profi_build_hold(profi_events_builder *builder)
{
    builder->is_holding = 1;
}

void profi_build_keep(profi_events_builder *builder, const profi_build_event *event)
{
    profi_build_track *track = &builder->tracks[event->track];
    builder->error = profi_spool_reserve(&builder->held_spool, (builder->held_count + 1) * sizeof(*event));
    if (builder->error != 0)
        return;
    ((profi_build_event *)builder->held_spool.data)[builder->held_count++] = *event;
    int is_whole = event->kind <= PROFI_BUILD_END && event->value != 0;
    track->is_disordered |= event->ns < track->held_ns || is_whole;
    track->held_ns = profi_max_u64(track->held_ns, event->ns);
}

static int compare(const void *one, const void *other)
{
    const ranked *a = one, *b = other;
    if (a->track != b->track)
        return a->track < b->track ? -1 : 1;
    if (a->ns != b->ns)
        return a->ns < b->ns ? -1 : 1;
    if (a->step != b->step)
        return a->step < b->step ? -1 : 1;
    if (a->longest != b->longest)
        return a->longest < b->longest ? -1 : 1;
    return a->rank < b->rank ? -1 : a->rank > b->rank;
}

/* Takes what came in order; how many did not. */
static uint64_t take_ordered(profi_events_builder *builder, const profi_build_event *held)
{
    uint64_t left = 0;
    for (uint64_t i = 0; i < builder->held_count; i++) {
        if (builder->tracks[held[i].track].is_disordered)
            left++;
        else
            profi_build_take(builder, &held[i]);
    }
    return left;
}

static void take_disordered(profi_events_builder *builder, const profi_build_event *held, uint64_t count)
{
    profi_spool spool = { 0 };
    int error = profi_spool_reserve(&spool, count * sizeof(ranked));
    ranked *list = spool.data;
    for (uint64_t i = 0, to = 0; error == 0 && i < builder->held_count; i++)
        if (builder->tracks[held[i].track].is_disordered)
            list[to++] = rank_of(&held[i], i);
    if (error == 0)
        qsort(list, count, sizeof(*list), compare);
    for (uint64_t i = 0; error == 0 && i < count; i++)
        profi_build_take(builder, &held[list[i].rank]);
    profi_spool_fini(&spool);
    builder->error = builder->error ? builder->error : error;
}

void profi_build_release(profi_events_builder *builder)
{
    const profi_build_event *held = builder->held_spool.data;
    uint64_t left = take_ordered(builder, held);
    if (left != 0)
        take_disordered(builder, held, left);
    for (size_t i = 0; i < builder->track_count; i++)
        builder->tracks[i].held_ns = 0, builder->tracks[i].is_disordered = 0;
    profi_spool_fini(&builder->held_spool);
    builder->held_count = 0;
    builder->is_holding = 0;
}
