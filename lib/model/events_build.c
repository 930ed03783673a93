/* SPDX-License-Identifier: Apache-2.0 */
/* Event streams from files: see events_build.h. */
#include "events_build.h"
#include "events_thread.h"

#include "../base/array.h"
#include "../base/error.h"
#include "../base/text.h"
#include "../record/ring.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void profi_build_init(profi_events_builder *builder)
{
    *builder = (profi_events_builder){ .events = calloc(1, sizeof(*builder->events)) };
    builder->error = builder->events == NULL ? ENOMEM : 0;
}

void profi_build_fini(profi_events_builder *builder)
{
    for (size_t i = 0; i < builder->track_count; i++)
        free(builder->tracks[i].open);
    free(builder->tracks);
    free(builder->site_table);
    profi_number_map_fini(&builder->pids);
    profi_spool_fini(&builder->track_spool);
    profi_spool_fini(&builder->held_spool);
    profi_events_close(builder->events);
    *builder = (profi_events_builder){ 0 };
}

/* Whether one more has room; else the builder has an error. */
static int has_room(profi_events_builder *builder, void *array_at, size_t *room, size_t count, size_t element_bytes)
{
    if (builder->error == 0 && !profi_array_grow(array_at, room, count, element_bytes))
        builder->error = ENOMEM;
    return builder->error == 0;
}

const char *profi_build_text(profi_events_builder *builder, const void *text, size_t bytes)
{
    if (builder->error != 0)
        return NULL;
    const char *added = profi_texts_add_clean(&builder->events->texts, text, bytes);
    if (added == NULL)
        builder->error = ENOMEM;
    return added;
}

/* ---- sites ---- */

/* Equal texts have equal addresses here. */
static uint64_t key_hash(const char *name, const char *file, uint32_t line)
{
    return profi_mix64(profi_mix64((uintptr_t)name ^ profi_hash_seed()) ^ (uintptr_t)file ^ (uint64_t)line << 48 ^ line);
}

static uint32_t *find_slot(const profi_events_builder *builder, const char *name, const char *file, uint32_t line)
{
    uint32_t mask = builder->site_table_size - 1;
    for (uint32_t at = (uint32_t)key_hash(name, file, line) & mask;; at = (at + 1) & mask) {
        uint32_t id = builder->site_table[at];
        const profi_events_site *site = id != UINT32_MAX ? &builder->events->sites[id] : NULL;
        if (site == NULL || (site->name == name && site->file == file && site->line == line))
            return &builder->site_table[at];
    }
}

/* Keeps room for one more site, and the table at most half full. */
static int grow_sites(profi_events_builder *builder)
{
    enum { FEWEST = 64, MOST = 1 << 28 };
    profi_events *events = builder->events;
    if (builder->error != 0 || events->site_count < builder->site_room)
        return builder->error == 0;
    uint32_t room = builder->site_room ? builder->site_room * 2 : FEWEST;
    profi_events_site *sites = room <= MOST ? reallocarray(events->sites, room, sizeof(*sites)) : NULL;
    uint32_t *table = sites != NULL ? malloc((size_t)room * 2 * sizeof(*table)) : NULL;
    events->sites = sites != NULL ? sites : events->sites;
    if (table == NULL) {
        builder->error = ENOMEM;
        return 0;
    }
    memset(table, 0xff, (size_t)room * 2 * sizeof(*table));
    free(builder->site_table);
    builder->site_table = table;
    builder->site_table_size = room * 2;
    builder->site_room = room;
    for (uint32_t i = 0; i < events->site_count; i++)
        if (!sites[i].is_counter)
            *find_slot(builder, sites[i].name, sites[i].file, sites[i].line) = i;
    return 1;
}

uint32_t profi_build_site(profi_events_builder *builder, const char *name, const char *file, uint32_t line)
{
    if (!grow_sites(builder))
        return 0;
    uint32_t *slot = find_slot(builder, name, file, line);
    if (*slot == UINT32_MAX) {
        *slot = builder->events->site_count++;
        builder->events->sites[*slot] = (profi_events_site){ .name = name, .file = file, .line = line };
    }
    return *slot;
}

uint32_t profi_build_counter_site(profi_events_builder *builder, const char *name)
{
    if (!grow_sites(builder))
        return 0;
    builder->events->sites[builder->events->site_count] = (profi_events_site){ .name = name, .is_counter = 1 };
    return builder->events->site_count++;
}

/* ---- processes and tracks ---- */

uint32_t profi_build_process(profi_events_builder *builder, int64_t pid, const char *name)
{
    profi_events *events = builder->events;
    if (builder->error != 0 || !has_room(builder, &events->processes, &builder->process_room, events->process_count, sizeof(*events->processes)))
        return 0;
    if (!profi_number_map_put(&builder->pids, 0, (uint64_t)pid, 0)) {
        builder->error = ENOMEM;
        return 0;
    }
    events->processes[events->process_count] = (profi_events_process){ pid, name };
    return events->process_count++;
}

int32_t profi_build_process_offset(const profi_events_builder *builder, int64_t pid)
{
    const int32_t beyond = 1 << 22; /* Linux gives no higher ones: PID_MAX_LIMIT */
    int32_t offset = 0;
    while (pid != 0 && offset < INT32_MAX - beyond &&
           profi_number_map_find(&builder->pids, 0, (uint64_t)(pid + offset)) != UINT32_MAX)
        offset += beyond;
    return offset;
}

/* One boot's monotonic clock is behind its real time by the same at any moment, but for what that was set by. */
int64_t profi_build_clock_offset(const profi_events_builder *builder, const profi_clock_moment *moment)
{
    const int64_t same_boot_ns = 1000000000;
    const profi_clock_moment *first = &builder->events->taken;
    if (first->unix_ns == 0 || moment->unix_ns == 0)
        return 0;
    int64_t offset = (int64_t)(moment->unix_ns - moment->monotonic_ns - (first->unix_ns - first->monotonic_ns));
    return offset > -same_boot_ns && offset < same_boot_ns ? 0 : offset;
}

uint32_t profi_build_track_new(profi_events_builder *builder)
{
    if (!has_room(builder, &builder->tracks, &builder->track_room, builder->track_count, sizeof(*builder->tracks)))
        return 0;
    if (builder->track_count >= UINT32_MAX) {
        builder->error = ENOMEM;
        return 0;
    }
    builder->tracks[builder->track_count] = (profi_build_track){ 0 };
    return (uint32_t)builder->track_count++;
}

/* ---- events ---- */

/* On a track time does not go back. */
static uint64_t advance(profi_events_builder *builder, profi_build_track *track, uint64_t ns)
{
    if (ns == PROFI_STILL_OPEN)
        ns--;
    if (ns < track->last_ns) {
        builder->events->notes.disordered++;
        return track->last_ns;
    }
    track->last_ns = ns;
    builder->last_ns = profi_max_u64(builder->last_ns, ns);
    return ns;
}

static uint32_t request_of(profi_events_builder *builder, profi_build_track *track, const profi_request_id *id)
{
    profi_events *events = builder->events;
    if (id == NULL)
        return 0;
    const profi_request_id *last = track->request != 0 ? &events->requests[track->request - 1] : NULL;
    if (last != NULL && last->low == id->low && last->high == id->high)
        return track->request;
    if (events->request_count >= UINT32_MAX - 1 ||
        !has_room(builder, &events->requests, &builder->request_room, events->request_count, sizeof(*events->requests)))
        return 0;
    events->requests[events->request_count++] = *id;
    track->request = (uint32_t)events->request_count;
    return track->request;
}

static profi_extra add_details(profi_events_builder *builder, profi_build_track *track, const profi_build_details *details)
{
    profi_events *events = builder->events;
    profi_extra extra = { 0 };
    if (details == NULL)
        return extra;
    extra.request = request_of(builder, track, details->request);
    extra.first_detail = (uint32_t)events->detail_count;
    extra.detail_count = (uint32_t)details->count;
    for (size_t i = 0; i < details->count && builder->error == 0; i++)
        if (!profi_events_add_detail(events, &details->details[i]))
            builder->error = ENOMEM;
    return extra;
}

static void add_again(profi_events_builder *builder, const profi_extra *extra)
{
    for (uint32_t i = 0; i < extra->detail_count && builder->error == 0; i++) {
        const profi_detail detail = builder->events->details[extra->first_detail + i];
        if (!profi_events_add_detail(builder->events, &detail))
            builder->error = ENOMEM;
    }
}

/* The details that a slice began with, and those of its end behind them: in one place. */
static void join_details(profi_events_builder *builder, profi_extra *extra, const profi_extra *more)
{
    if (more->request != 0)
        extra->request = more->request;
    if (more->detail_count == 0)
        return;
    if (extra->detail_count == 0) {
        extra->first_detail = more->first_detail;
    } else if (extra->first_detail + extra->detail_count != more->first_detail) {
        uint32_t first = (uint32_t)builder->events->detail_count;
        add_again(builder, extra);
        add_again(builder, more);
        extra->first_detail = first;
    }
    extra->detail_count += more->detail_count;
}

/* What stands beside cells is there from the first that needs it. */
static int reserve_cell(profi_events_builder *builder, const profi_extra *extra)
{
    profi_events *events = builder->events;
    uint64_t count = builder->cell_count;
    int error = profi_spool_reserve(&events->cell_spool, (count + 1) * sizeof(*events->cells));
    error = error ? error : profi_spool_reserve(&builder->track_spool, (count + 1) * sizeof(uint32_t));
    if (error == 0 && (events->extras != NULL || extra->detail_count != 0 || extra->request != 0)) {
        int is_new = events->extras == NULL;
        error = profi_spool_reserve(&events->extra_spool, (count + 1) * sizeof(*events->extras));
        events->extras = error == 0 ? events->extra_spool.data : NULL;
        if (error == 0 && is_new)
            memset(events->extras, 0, count * sizeof(*events->extras));
    }
    events->cells = events->cell_spool.data;
    builder->error = builder->error ? builder->error : error;
    return builder->error == 0;
}

static void put_cell(profi_events_builder *builder, uint32_t track, unsigned kind, uint32_t site, uint64_t start, uint64_t end,
                     profi_extra extra)
{
    profi_build_track *of = &builder->tracks[track];
    if (!reserve_cell(builder, &extra))
        return;
    builder->events->cells[builder->cell_count] =
        (prof_inline_cell){ profi_event_what(kind, of->open_count + 1, site), start, end };
    ((uint32_t *)builder->track_spool.data)[builder->cell_count] = track;
    if (builder->events->extras != NULL)
        builder->events->extras[builder->cell_count] = extra;
    builder->cell_count++;
    if (of->count++ == 0)
        of->site = site;
    of->is_mixed |= site != of->site;
    of->is_nested |= kind != PROFI_EVENT_SCOPE || of->open_count != 0;
}

static void begin_slice(profi_events_builder *builder, const profi_build_event *event)
{
    profi_build_track *of = &builder->tracks[event->track];
    if (has_room(builder, &of->open, &of->open_room, of->open_count, sizeof(*of->open)))
        of->open[of->open_count++] = (profi_build_open){ advance(builder, of, event->ns), event->site, event->extra };
}

static void end_slice(profi_events_builder *builder, const profi_build_event *event)
{
    profi_build_track *of = &builder->tracks[event->track];
    if (of->open_count == 0) {
        builder->events->notes.stray_ends++;
        return;
    }
    profi_build_open slice = of->open[--of->open_count];
    join_details(builder, &slice.extra, &event->extra);
    put_cell(builder, event->track, PROFI_EVENT_SCOPE, slice.site, slice.start, advance(builder, of, event->ns), slice.extra);
}

void profi_build_take(profi_events_builder *builder, const profi_build_event *event)
{
    uint64_t ns;
    if (builder->error != 0)
        return;
    switch (event->kind) {
    case PROFI_BUILD_BEGIN: begin_slice(builder, event); break;
    case PROFI_BUILD_END: end_slice(builder, event); break;
    case PROFI_BUILD_INSTANT:
        ns = advance(builder, &builder->tracks[event->track], event->ns);
        put_cell(builder, event->track, PROFI_EVENT_INSTANT, event->site, ns, ns, event->extra);
        break;
    case PROFI_BUILD_VALUE:
        ns = advance(builder, &builder->tracks[event->track], event->ns);
        put_cell(builder, event->track, PROFI_EVENT_COUNTER, event->site, event->value, ns, event->extra);
        break;
    }
}

static void add_event(profi_events_builder *builder, profi_build_event event, const profi_build_details *details)
{
    if (builder->error != 0)
        return;
    event.extra = add_details(builder, &builder->tracks[event.track], details);
    if (builder->error != 0)
        return;
    if (builder->is_holding)
        profi_build_keep(builder, &event);
    else
        profi_build_take(builder, &event);
}

void profi_build_begin(profi_events_builder *builder, uint32_t track, uint64_t ns, uint32_t site,
                       const profi_build_details *details)
{
    add_event(builder, (profi_build_event){ .kind = PROFI_BUILD_BEGIN, .track = track, .ns = ns, .site = site }, details);
}

void profi_build_end(profi_events_builder *builder, uint32_t track, uint64_t ns, const profi_build_details *details)
{
    add_event(builder, (profi_build_event){ .kind = PROFI_BUILD_END, .track = track, .ns = ns }, details);
}

void profi_build_whole(profi_events_builder *builder, uint32_t track, uint64_t ns, uint64_t end_ns, uint32_t site,
                       const profi_build_details *details)
{
    add_event(builder, (profi_build_event){ .kind = PROFI_BUILD_BEGIN, .track = track, .ns = ns, .value = end_ns, .site = site },
              details);
    add_event(builder, (profi_build_event){ .kind = PROFI_BUILD_END, .track = track, .ns = end_ns, .value = ns }, NULL);
}

void profi_build_instant(profi_events_builder *builder, uint32_t track, uint64_t ns, uint32_t site,
                         const profi_build_details *details)
{
    add_event(builder, (profi_build_event){ .kind = PROFI_BUILD_INSTANT, .track = track, .ns = ns, .site = site }, details);
}

void profi_build_value(profi_events_builder *builder, uint32_t track, uint64_t ns, uint32_t site, double value)
{
    if (builder->error != 0)
        return;
    builder->events->sites[site].is_counter = 1;
    add_event(builder, (profi_build_event){ .kind = PROFI_BUILD_VALUE, .track = track, .ns = ns, .site = site,
                                            .value = profi_double_bits(value) }, NULL);
}

/* ---- the end ---- */

static void leave_open(profi_events_builder *builder)
{
    for (uint32_t i = 0; i < builder->track_count; i++) {
        profi_build_track *track = &builder->tracks[i];
        while (track->open_count > 0 && builder->error == 0) {
            const profi_build_open *slice = &track->open[--track->open_count];
            builder->events->notes.unfinished++;
            put_cell(builder, i, PROFI_EVENT_SCOPE, slice->site, slice->start, PROFI_STILL_OPEN, slice->extra);
        }
    }
}

static void describe(profi_events_builder *builder)
{
    profi_events *events = builder->events;
    if (events->process_count == 0)
        profi_build_process(builder, 0, profi_build_text(builder, "timeline", 8));
    if (builder->error != 0)
        return;
    uint64_t later = builder->last_ns > events->taken.monotonic_ns ? builder->last_ns - events->taken.monotonic_ns : 0;
    events->taken.monotonic_ns += later;
    events->taken.boot_ns += events->taken.boot_ns != 0 ? later : 0;
    events->taken.unix_ns += events->taken.unix_ns != 0 ? later : 0;
    events->pid = events->processes[0].pid;
    events->run_name = strdup(events->processes[0].name);
    events->scale = (profi_clock_scale){ .source = "file", .hz = 1000000000, .ns = 1, .ticks = 1, .steady = 1 };
    builder->error = events->run_name == NULL ? ENOMEM : 0;
}

prof_status profi_build_finish(profi_events_builder *builder, const char *what, profi_events **events, prof_error *err)
{
    prof_status status = PROF_OK;
    profi_build_release(builder);
    if (builder->error == 0)
        leave_open(builder);
    if (builder->error == 0)
        describe(builder);
    if (builder->error == 0)
        builder->error = profi_build_lay_out(builder);
    if (builder->error == ENOMEM) {
        status = profi_fail(err, PROF_E_NO_MEMORY, "%.300s: no memory for its events", what);
    } else if (builder->error != 0) {
        status = profi_fail_errno(err, builder->error, "%.300s: no room in $TMPDIR for its events", what);
    } else {
        *events = builder->events;
        builder->events = NULL;
    }
    profi_build_fini(builder);
    return status;
}
