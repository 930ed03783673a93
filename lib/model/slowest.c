/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See slowest.h.  The stream, which may be larger than memory, is gone along
 * a few times: to choose the request, to see what it started elsewhere and how
 * long its slices are, and to copy those that are long enough.
 */
#include "slowest.h"

#include "../base/array.h"
#include "../base/error.h"
#include "../base/number_map.h"

#include <stdlib.h>
#include <string.h>

enum { BATCH = 256 };

/* What there is of a request, or of the calls of a site. */
typedef struct candidate {
    profi_request_id request;
    uint64_t first_ns, last_ns; /* of the longest call, or of all of the request */
    uint64_t count, longest_ns;
    uint64_t track, index;      /* where the longest call stands */
    uint32_t depth;
    uint32_t site;              /* of the longest slice */
} candidate;

typedef struct search {
    const profi_events *events;
    candidate *candidates; /* by request, or by site */
    size_t count, room;
    profi_number_map by_request;
    candidate chosen;
    uint64_t durations[PROFI_BUCKET_COUNT]; /* of its slices */
    unsigned least;             /* bucket of those that are copied, */
    uint64_t room_in_least;     /* and of how many of these, the first */
    prof_snapshot *snapshot;
    profi_slowest *into;
    profi_number_map site_map, track_map;
    profi_number_map flows; /* that lead from what was chosen */
    int is_memory_spent;
    profi_slice batch[BATCH];
} search;

/* Called for a slice; 0 ends its track. */
typedef int (*visitor)(search *s, const profi_slice *slice, uint64_t track, uint64_t index);

/* ---- going along ---- */

static uint64_t end_of(const search *s, const profi_slice *slice)
{
    uint64_t end = slice->end_ns == PROFI_STILL_OPEN ? s->events->taken.monotonic_ns : slice->end_ns;
    return profi_max_u64(end, slice->start_ns);
}

/* One of the flows that a slice is a station of, or 0. */
static uint64_t flow_of(const profi_slice *slice)
{
    for (size_t i = 0; i < slice->detail_count; i++)
        if (!profi_detail_is_argument(&slice->details[i]))
            return slice->details[i].value.flow;
    return 0;
}

/* Work that was done elsewhere for a scope, such as on a GPU: a flow leads to it, and its track is not called as it is. */
static int is_work(const search *s, const profi_slice *slice, uint64_t track)
{
    return track >= s->events->thread_count && s->events->lanes[track - s->events->thread_count].track != slice->site &&
           flow_of(slice) != 0;
}

static void visit_track(search *s, uint64_t track, uint64_t from, visitor visit)
{
    const profi_events *events = s->events;
    int is_thread = track < events->thread_count;
    const profi_events_lane *lane = is_thread ? NULL : &events->lanes[track - events->thread_count];
    uint64_t first = is_thread ? events->threads[track].first : lane->first;
    uint64_t of_it = is_thread ? events->threads[track].count : lane->count;
    size_t count;
    for (; (count = profi_events_read(events, first, of_it, from, s->batch, BATCH)) != 0; from += count)
        for (size_t i = 0; i < count; i++)
            if (s->is_memory_spent || (s->batch[i].kind != PROFI_SLICE_COUNTER && !visit(s, &s->batch[i], track, from + i)))
                return;
}

/* Threads first, then lanes. */
static void visit_all(search *s, visitor visit)
{
    uint64_t count = (uint64_t)s->events->thread_count + s->events->lane_count;
    for (uint64_t track = 0; track < count && !s->is_memory_spent; track++)
        visit_track(s, track, 0, visit);
}

/* ---- choosing ---- */

static candidate *candidate_of(search *s, const profi_request_id *request)
{
    uint32_t at = profi_number_map_find(&s->by_request, request->high, request->low);
    if (at != UINT32_MAX)
        return &s->candidates[at];
    if (s->count >= UINT32_MAX - 1 || !profi_array_grow(&s->candidates, &s->room, s->count, sizeof(*s->candidates)) ||
        !profi_number_map_put(&s->by_request, request->high, request->low, (uint32_t)s->count)) {
        s->is_memory_spent = 1;
        return NULL;
    }
    s->candidates[s->count] = (candidate){ .request = *request, .first_ns = UINT64_MAX };
    return &s->candidates[s->count++];
}

static int note_request(search *s, const profi_slice *slice, uint64_t track, uint64_t index)
{
    candidate *c = slice->request != NULL ? candidate_of(s, slice->request) : NULL;
    (void)track, (void)index;
    if (c == NULL)
        return 1;
    uint64_t end = end_of(s, slice), ns = end - slice->start_ns;
    if (c->count++ == 0 || ns > c->longest_ns) {
        c->longest_ns = ns;
        c->site = slice->site;
    }
    c->first_ns = profi_min_u64(c->first_ns, slice->start_ns);
    c->last_ns = profi_max_u64(c->last_ns, end);
    return 1;
}

static int note_call(search *s, const profi_slice *slice, uint64_t track, uint64_t index)
{
    candidate *c = &s->candidates[slice->site];
    if (slice->kind == PROFI_SLICE_INSTANT || is_work(s, slice, track))
        return 1;
    uint64_t end = end_of(s, slice), ns = end - slice->start_ns;
    if (c->count++ == 0 || ns > c->longest_ns)
        *c = (candidate){ .first_ns = slice->start_ns, .last_ns = end, .count = c->count, .longest_ns = ns, .track = track,
                          .index = index, .depth = slice->depth, .site = slice->site };
    return 1;
}

/* The longest of the candidates that there are at least so many of; 0 where there is none. */
static int choose(search *s, uint64_t least)
{
    uint64_t longest = 0;
    int has_any = 0;
    for (size_t i = 0; i < s->count; i++) {
        const candidate *c = &s->candidates[i];
        uint64_t ns = c->last_ns - c->first_ns;
        if (c->count < least || (has_any && ns <= longest))
            continue;
        s->chosen = *c;
        longest = ns;
        has_any = 1;
    }
    return has_any;
}

static int choose_request(search *s)
{
    if (s->events->request_count == 0)
        return 0;
    visit_all(s, note_request);
    return choose(s, 1);
}

static int choose_call(search *s)
{
    free(s->candidates);
    s->count = s->room = s->events->site_count;
    s->candidates = calloc(s->count + 1, sizeof(*s->candidates));
    s->is_memory_spent |= s->candidates == NULL;
    if (s->is_memory_spent)
        return 0;
    visit_all(s, note_call);
    return choose(s, (uint64_t)s->events->thread_count + 1) || choose(s, 2) || choose(s, 1);
}

/* ---- copying ---- */

static void visit_chosen(search *s, visitor visit)
{
    const profi_events *events = s->events;
    if (s->into->has_request) {
        visit_all(s, visit);
        return;
    }
    visit_track(s, s->chosen.track, s->chosen.index, visit);
    for (uint64_t track = events->thread_count; track < events->thread_count + events->lane_count && !s->is_memory_spent; track++)
        if (track != s->chosen.track)
            visit_track(s, track, 0, visit);
}

static unsigned bucket_of(const search *s, const profi_slice *slice)
{
    return profi_bucket_of(profi_min_u64(end_of(s, slice) - slice->start_ns, UINT64_MAX - 16));
}

/* Whether a slice belongs to what was chosen; *goes_on: whether one behind it may. */
static int belongs(const search *s, const profi_slice *slice, uint64_t track, uint64_t index, int *goes_on)
{
    const profi_request_id *request = &s->chosen.request;
    *goes_on = 1;
    if (is_work(s, slice, track))
        return profi_number_map_find(&s->flows, 0, flow_of(slice)) != UINT32_MAX;
    if (s->into->has_request)
        return slice->request != NULL && slice->request->low == request->low && slice->request->high == request->high;
    *goes_on = track == s->chosen.track && (index == s->chosen.index || slice->depth > s->chosen.depth);
    return *goes_on;
}

static int note_flows(search *s, const profi_slice *slice, uint64_t track, uint64_t index)
{
    int goes_on;
    if (!belongs(s, slice, track, index, &goes_on))
        return goes_on;
    for (size_t i = 0; i < slice->detail_count; i++)
        if (!profi_detail_is_argument(&slice->details[i]))
            s->is_memory_spent |= !profi_number_map_put(&s->flows, 0, slice->details[i].value.flow, 0);
    return goes_on;
}

static int count_slice(search *s, const profi_slice *slice, uint64_t track, uint64_t index)
{
    int goes_on;
    if (belongs(s, slice, track, index, &goes_on))
        s->durations[bucket_of(s, slice)]++;
    return goes_on;
}

/* The longest buckets that have room together, and of the first that has not, what is left: its first slices. */
static void choose_least(search *s)
{
    uint64_t kept = 0;
    s->least = PROFI_BUCKET_COUNT;
    s->room_in_least = UINT64_MAX;
    while (s->least > 0 && kept + s->durations[s->least - 1] <= PROFI_SLOWEST_SLICES)
        kept += s->durations[--s->least];
    for (unsigned i = 0; i < s->least; i++)
        s->into->left_out += s->durations[i];
    if (s->least > 0) {
        s->room_in_least = PROFI_SLOWEST_SLICES - kept;
        s->into->left_out -= s->room_in_least;
        s->least--;
    }
}

/* The number of a site in the excerpt. */
static uint32_t copy_site(search *s, uint32_t site)
{
    const profi_events_site *from = &s->events->sites[site];
    uint32_t at = profi_number_map_find(&s->site_map, 0, site);
    int ok = 1;
    if (at != UINT32_MAX)
        return at;
    at = (uint32_t)s->into->site_count;
    const profi_slowest_site made = { profi_snapshot_text(s->snapshot, from->name, &ok),
                                      profi_snapshot_text(s->snapshot, from->file, &ok), from->line };
    if (!ok || !profi_array_grow(&s->into->sites, &s->into->site_room, at, sizeof(*s->into->sites)) ||
        !profi_number_map_put(&s->site_map, 0, site, at)) {
        s->is_memory_spent = 1;
        return 0;
    }
    s->into->sites[s->into->site_count++] = made;
    return at;
}

static uint32_t copy_track(search *s, uint64_t track)
{
    const profi_events *events = s->events;
    uint32_t at = profi_number_map_find(&s->track_map, 0, track);
    int ok = 1;
    if (at != UINT32_MAX)
        return at;
    at = (uint32_t)s->into->track_count;
    const profi_events_thread *thread = track < events->thread_count ? &events->threads[track] : NULL;
    const char *name = thread != NULL ? thread->name : events->sites[events->lanes[track - events->thread_count].track].name;
    const profi_slowest_track made = { profi_snapshot_text(s->snapshot, name, &ok), thread != NULL ? thread->tid : 0, UINT32_MAX };
    if (!ok || !profi_array_grow(&s->into->tracks, &s->into->track_room, at, sizeof(*s->into->tracks)) ||
        !profi_number_map_put(&s->track_map, 0, track, at)) {
        s->is_memory_spent = 1;
        return 0;
    }
    s->into->tracks[s->into->track_count++] = made;
    return at;
}

static int is_kept(search *s, unsigned bucket)
{
    if (bucket != s->least)
        return bucket > s->least;
    int has_room = s->room_in_least > 0;
    s->room_in_least -= (uint64_t)has_room;
    return has_room;
}

static int copy_slice(search *s, const profi_slice *slice, uint64_t track, uint64_t index)
{
    profi_slowest *into = s->into;
    int goes_on;
    if (!belongs(s, slice, track, index, &goes_on) || !is_kept(s, bucket_of(s, slice)))
        return goes_on;
    profi_slowest_slice copy = { .track = copy_track(s, track), .site = copy_site(s, slice->site), .depth = slice->depth,
                                 .kind = slice->kind, .is_open = slice->end_ns == PROFI_STILL_OPEN,
                                 .start_ns = slice->start_ns - profi_min_u64(slice->start_ns, s->chosen.first_ns),
                                 .duration_ns = end_of(s, slice) - slice->start_ns };
    if (s->is_memory_spent || !profi_array_grow(&into->slices, &into->slice_room, into->slice_count, sizeof(*into->slices))) {
        s->is_memory_spent = 1;
        return 0;
    }
    profi_slowest_track *of = &into->tracks[copy.track];
    of->least_depth = of->least_depth < copy.depth ? of->least_depth : copy.depth;
    into->slices[into->slice_count++] = copy;
    return goes_on;
}

static uint64_t unix_ns_of(const profi_events *events, uint64_t ns)
{
    uint64_t ago = events->taken.monotonic_ns - profi_min_u64(events->taken.monotonic_ns, ns);
    return events->taken.unix_ns > ago ? events->taken.unix_ns - ago : 0;
}

static void copy_chosen(search *s)
{
    profi_slowest *into = s->into;
    into->request = s->chosen.request;
    into->number_of = into->has_request ? s->count : s->chosen.count;
    into->duration_ns = s->chosen.last_ns - s->chosen.first_ns;
    into->start_unix_ns = unix_ns_of(s->events, s->chosen.first_ns);
    into->lost = s->events->lost;
    visit_chosen(s, note_flows);
    visit_chosen(s, count_slice);
    choose_least(s);
    into->site = copy_site(s, s->chosen.site);
    visit_chosen(s, copy_slice);
    for (size_t i = 0; i < into->slice_count; i++)
        into->slices[i].depth -= into->tracks[into->slices[i].track].least_depth;
}

/* ---- all of it ---- */

void profi_slowest_close(profi_slowest *slowest)
{
    if (slowest == NULL)
        return;
    free(slowest->slices);
    free(slowest->sites);
    free(slowest->tracks);
    free(slowest);
}

static int search_all(search *s)
{
    s->into->has_request = choose_request(s);
    int is_found = s->into->has_request || (!s->is_memory_spent && choose_call(s));
    if (is_found && !s->is_memory_spent)
        copy_chosen(s);
    return is_found && !s->is_memory_spent;
}

prof_status profi_slowest_find(const profi_events *events, prof_snapshot *snapshot, prof_error *err)
{
    search *s = calloc(1, sizeof(*s));
    profi_slowest *into = calloc(1, sizeof(*into));
    int is_memory_spent = s == NULL || into == NULL;
    profi_slowest_close(snapshot->slowest);
    snapshot->slowest = NULL;
    if (!is_memory_spent) {
        s->events = events;
        s->snapshot = snapshot;
        s->into = into;
        if (search_all(s)) {
            snapshot->slowest = into;
            into = NULL;
        }
        is_memory_spent = s->is_memory_spent;
        free(s->candidates);
        profi_number_map_fini(&s->by_request);
        profi_number_map_fini(&s->site_map);
        profi_number_map_fini(&s->track_map);
        profi_number_map_fini(&s->flows);
    }
    profi_slowest_close(into);
    free(s);
    return is_memory_spent ? profi_fail(err, PROF_E_NO_MEMORY, "no memory for the slowest request of %u threads",
                                        (unsigned)events->thread_count) : PROF_OK;
}
