/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The event stream: a copy of the rings, this process's or another's, thread
 * by thread put together, nested (events_thread.c) and counted.  Nanoseconds
 * are made when a slice is read.
 */
#include "events_thread.h"

#include "../base/error.h"
#include "../base/number_map.h"
#include "../base/text.h"
#include "../record/dead.h"
#include "../record/tape.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Who a thread is: a live one's ring knows, of one that has ended the youngest of its cells. */
static profi_who who_of(const profi_ring_view *ring, const profi_segment *segments, size_t count)
{
    profi_who who = ring != NULL ? ring->who : (profi_who){ 0 };
    return who.name[0] != '\0' || count == 0 ? who : segments[count - 1].who;
}

static void add_thread(profi_events *events, const profi_ring_view *ring, uint64_t number, const profi_who *who)
{
    profi_events_thread *thread = &events->threads[events->thread_count++];
    char clean[PROFI_TEXT_MAX];
    *thread = (profi_events_thread){ .number = number, .tid = who->tid > 0 ? who->tid : 0,
                                     .filtered = ring != NULL ? ring->filtered : 0 };
    profi_text_clean(clean, who->name, strlen(who->name));
    if (clean[0] != '\0')
        snprintf(thread->name, sizeof(thread->name), "%.63s", clean);
    else
        snprintf(thread->name, sizeof(thread->name), "thread %llu", (unsigned long long)number);
}

/* How many scopes a thread had open: they come next in the list. */
static size_t count_opens(profi_events_maker *maker, uint64_t number)
{
    size_t count = 0;
    while (maker->opens != maker->opens_end && maker->opens->thread < number)
        maker->opens++;
    while (maker->opens + count != maker->opens_end && maker->opens[count].thread == number)
        count++;
    return count;
}

/*
 * Puts the scopes that a thread had open behind its events, as if they all
 * ended in the end, innermost first: so the pass that nests what ended nests
 * them too.
 */
static void add_opens(profi_events_maker *maker, profi_events_thread *thread, int is_live)
{
    size_t count = count_opens(maker, thread->number);
    const profi_open_cell *end = maker->opens + count;
    if (maker->events->stacks != NULL)
        maker->opens += is_live ? profi_events_ended_since(maker, thread, maker->opens, count) : count;
    thread->open_count = (uint64_t)(end - maker->opens);
    for (; maker->opens != end; maker->opens++)
        profi_events_cell(maker, &(prof_inline_cell){ maker->opens->what, maker->opens->start, PROFI_STILL_OPEN });
}

/*
 * Takes a thread's cells from its segments, and counts its events.  What a
 * live thread had issued is known, and a few that came while the ring was
 * read go on from there without a gap; of one that has ended, what it issued
 * up to the last that is held is known, and of all of those together the rest.
 */
static void fill_thread(profi_events_maker *maker, const profi_rings_view *rings, const profi_ring_view *ring,
                        const profi_segment *segments, size_t count)
{
    profi_events *events = maker->events;
    profi_events_thread *thread = &events->threads[events->thread_count - 1];
    uint64_t issued = ring != NULL ? ring->issued : 0;
    size_t first_span = maker->span_count;
    thread->first = maker->cell_count;
    maker->waiting_count = 0;
    for (size_t s = 0; s < count; s++) {
        uint64_t index = segments[s].first_index;
        profi_events_gap(maker);
        for (uint64_t i = 0; i < segments[s].cell_count; i++)
            index += profi_events_cell(maker, &rings->cells[segments[s].first_cell + i]);
        thread->held += index - segments[s].first_index;
        issued = profi_max_u64(issued, index);
    }
    thread->streamed = profi_min_u64(issued - thread->held, ring != NULL ? ring->streamed : maker->exited_streamed);
    thread->lost = issued - thread->held - thread->streamed;
    maker->exited_streamed -= ring != NULL ? 0 : thread->streamed;
    events->streamed += thread->streamed;
    if (events->stacks != NULL)
        profi_events_cut_window(maker, thread, first_span);
    add_opens(maker, thread, ring != NULL);
    thread->count = maker->cell_count - thread->first;
    events->issued += issued;
    events->held += thread->held;
    if (ring == NULL)
        events->lost_of_unknown -= issued;
}

/* How many of the segments, from the first on, are of one thread. */
static size_t group_size(const profi_segment *segments, size_t count)
{
    size_t size = 0;
    while (size < count && segments[size].thread == segments[0].thread)
        size++;
    return size;
}

/* One entry for each thread that has issued anything: two lists by number, merged. */
static int list_threads(profi_events_maker *maker, const profi_rings_view *rings)
{
    profi_events *events = maker->events;
    uint64_t groups = rings->ring_count;
    for (size_t i = 0; i < rings->segment_count; i += group_size(&rings->segments[i], rings->segment_count - i))
        groups++;
    events->threads = calloc(groups + 1, sizeof(*events->threads));
    if (events->threads == NULL)
        return 0;
    events->lost_of_unknown = rings->exited_issued;
    events->filtered = rings->exited_filtered;
    for (uint64_t r = 0, s = 0; r < rings->ring_count || s < rings->segment_count;) {
        const profi_segment *segments = &rings->segments[s];
        const profi_ring_view *ring = r < rings->ring_count ? &rings->rings[r] : NULL;
        size_t count = group_size(segments, rings->segment_count - s);
        if (ring != NULL && count != 0 && ring->thread > segments->thread)
            ring = NULL;
        if (ring != NULL && count != 0 && ring->thread != segments->thread)
            count = 0;
        r += ring != NULL;
        s += count;
        events->filtered += ring != NULL ? ring->filtered : 0;
        if (ring != NULL && ring->issued == 0 && ring->filtered == 0 && count == 0 && count_opens(maker, ring->thread) == 0)
            continue;
        const profi_who who = who_of(ring, segments, count);
        add_thread(events, ring, ring != NULL ? ring->thread : segments->thread, &who);
        fill_thread(maker, rings, ring, segments, count);
    }
    events->issued += events->lost_of_unknown;
    events->streamed_of_unknown = profi_min_u64(events->lost_of_unknown, maker->exited_streamed);
    events->lost_of_unknown -= events->streamed_of_unknown;
    events->streamed += events->streamed_of_unknown;
    events->lost = events->issued - events->held - events->before - events->streamed;
    return !maker->is_memory_spent;
}

/* Of threads to which the system gave the same id, one after the other, the last has it.  0 when memory is spent. */
static int tell_ids_apart(profi_events *events)
{
    profi_number_map ids = { 0 };
    int ok = 1;
    for (uint32_t i = events->thread_count; ok && i-- > 0;) {
        uint64_t tid = (uint64_t)events->threads[i].tid;
        if (tid == 0)
            continue;
        if (profi_number_map_find(&ids, 0, tid) != UINT32_MAX)
            events->threads[i].tid = 0;
        else
            ok = profi_number_map_put(&ids, 0, tid, i);
    }
    profi_number_map_fini(&ids);
    return ok;
}

/* Room for all cells; what stands beside them only where there is any.  0, or an errno value. */
static int make_room(profi_events *events, const profi_rings_view *rings, size_t open_count)
{
    int has_details = 0;
    uint64_t count = rings->cell_count + 1 + open_count;
    for (uint64_t i = 0; i < rings->cell_count && !has_details; i++)
        has_details = profi_event_is_detail(rings->cells[i].what);
    int error = profi_spool_reserve(&events->cell_spool, count * sizeof(*events->cells));
    error = error ? error : profi_spool_reserve(&events->depth_spool, count * sizeof(*events->depths));
    if (has_details)
        error = error ? error : profi_spool_reserve(&events->extra_spool, count * sizeof(*events->extras));
    events->cells = events->cell_spool.data;
    events->depths = events->depth_spool.data;
    events->extras = has_details ? events->extra_spool.data : NULL;
    return error;
}

static void mark_counters(profi_events *events)
{
    for (uint32_t t = 0; t < events->thread_count; t++)
        for (uint64_t i = 0; i < events->threads[t].count; i++) {
            uint64_t what = events->cells[events->threads[t].first + i].what;
            if (profi_event_kind(what) == PROFI_EVENT_COUNTER)
                events->sites[profi_event_site(what)].is_counter = 1;
        }
}

/* 0, or an errno value. */
static int order_threads(const profi_events *events)
{
    profi_spool scratch = { 0 };
    int error = 0;
    for (uint32_t i = 0; error == 0 && i < events->thread_count; i++)
        error = profi_events_order(events, events->threads[i].first, events->threads[i].count, &scratch);
    profi_spool_fini(&scratch);
    return error;
}

static int make_threads(profi_events *events, const profi_events_source *source)
{
    profi_rings_view *rings = source->rings;
    profi_events_maker maker = { .events = events, .since = source->since, .opens = source->opens };
    maker.exited_streamed = rings->exited_streamed;
    maker.opens_end = source->open_count ? source->opens + source->open_count : source->opens;
    profi_rings_view_sort(rings);
    int error = make_room(events, rings, source->open_count);
    if (error == 0 && (!list_threads(&maker, rings) || !tell_ids_apart(events)))
        error = ENOMEM;
    if (error == 0)
        error = order_threads(events);
    if (error == 0 && !profi_events_place_spans(&maker))
        error = ENOMEM;
    profi_events_maker_fini(&maker);
    return error;
}

static int make(profi_events *events, const profi_events_source *source)
{
    events->pid = source->pid;
    events->taken = source->taken;
    events->scale = source->scale;
    events->run_name = strdup(source->run_name);
    events->sites = malloc(((size_t)source->site_count + 1) * sizeof(*events->sites));
    events->processes = malloc(sizeof(*events->processes));
    if (events->run_name == NULL || events->sites == NULL || events->processes == NULL)
        return ENOMEM;
    events->processes[events->process_count++] = (profi_events_process){ source->pid, events->run_name };
    if (source->site_count != 0)
        memcpy(events->sites, source->sites, source->site_count * sizeof(*events->sites));
    events->site_count = source->site_count;
    events->stacks = source->stacks;
    int error = make_threads(events, source);
    if (error == 0)
        mark_counters(events);
    return error;
}

prof_status profi_events_make(const profi_events_source *source, profi_events **events, prof_error *err)
{
    profi_events *made = calloc(1, sizeof(*made));
    int error = made != NULL ? make(made, source) : ENOMEM;
    if (error == ENOMEM)
        profi_fail(err, PROF_E_NO_MEMORY, "no memory for the event stream");
    else if (error != 0)
        profi_fail_errno(err, error, "no room in $TMPDIR for the event stream");
    if (error != 0) {
        profi_events_close(made);
        return error == ENOMEM ? PROF_E_NO_MEMORY : PROF_E_IO;
    }
    *events = made;
    return PROF_OK;
}

/* Of this process: the rings' copy, which may have others put before it. */
static prof_status make_own(const char *run_name, const profi_events_copy *copy, profi_rings_view *rings,
                            const profi_open_stacks *stacks, uint64_t since, profi_events **events, prof_error *err)
{
    size_t open_count = 0;
    profi_events_site *sites = malloc((copy->site_count + 1) * sizeof(*sites));
    profi_open_cell *opens = stacks != NULL ? profi_open_stacks_cells(stacks, &open_count) : NULL;
    if (sites == NULL || (stacks != NULL && opens == NULL)) {
        free(sites);
        free(opens);
        return profi_fail(err, PROF_E_NO_MEMORY, "no memory for the event stream");
    }
    for (size_t i = 0; i < copy->site_count; i++)
        sites[i] = (profi_events_site){ .name = copy->sites[i].name, .file = copy->sites[i].file, .line = copy->sites[i].line };
    const profi_events_source source = { .run_name = run_name, .pid = getpid(), .taken = profi_clock_moment_now(),
                                         .scale = profi_clock_scale_now(), .rings = rings, .sites = sites,
                                         .site_count = (uint32_t)copy->site_count, .stacks = stacks, .since = since,
                                         .opens = opens, .open_count = open_count };
    prof_status status = profi_events_make(&source, events, err);
    free(sites);
    free(opens);
    return status;
}

prof_status profi_events_open_streamed(const char *run_name, profi_events_copy *copy, int fd, uint64_t bytes,
                                       profi_events **events, prof_error *err)
{
    profi_dead streamed;
    profi_stream stream;
    profi_stream_of_callback(&stream, profi_stream_read_fd, &fd);
    prof_status status = profi_tape_read(&stream, bytes, "the stream of this run", &streamed, err);
    profi_stream_fini(&stream);
    if (status != PROF_OK)
        return status;
    int error = profi_tape_join(&streamed, &copy->rings);
    status = error == 0 ? make_own(run_name, copy, &streamed.rings, NULL, 0, events, err)
                        : profi_fail_errno(err, error, "no room in $TMPDIR for the event stream");
    profi_dead_fini(&streamed);
    return status;
}

prof_status profi_events_open(const char *run_name, profi_events **events, prof_error *err)
{
    profi_events_copy copy;
    prof_status status = profi_events_take(&copy, err);
    if (status != PROF_OK)
        return status;
    /* Tables that are made of it have no other word for calls that they lack. */
    for (uint64_t i = 0; i < copy.rings.ring_count; i++)
        copy.rings.rings[i].streamed = 0;
    copy.rings.exited_streamed = 0;
    status = make_own(run_name, &copy, &copy.rings, NULL, 0, events, err);
    profi_events_copy_fini(&copy);
    return status;
}

prof_status profi_events_open_dump(const profi_open_stacks *stacks, uint64_t window_ns, profi_events_copy *copy,
                                   profi_events **events, prof_error *err)
{
    uint64_t window = profi_clock_to_ticks(&stacks->scale, window_ns), now = profi_open_stacks_taken_tick(stacks);
    uint64_t since = window_ns != 0 && window < now ? now - window : 0;
    return make_own(stacks->run_name, copy, &copy->rings, stacks, since, events, err);
}

prof_status profi_events_of_dead(profi_dead *dead, profi_events **events, prof_error *err)
{
    const profi_record_copy *copy = &dead->record;
    profi_events_site *sites = malloc((copy->site_count + 1) * sizeof(*sites));
    for (size_t i = 0; sites != NULL && i < copy->site_count; i++)
        sites[i] = (profi_events_site){ .name = copy->sites[i].name, .file = copy->sites[i].file, .line = copy->sites[i].line };
    const profi_events_source source = { .run_name = dead->name, .pid = dead->pid, .taken = dead->last, .scale = dead->scale,
                                         .rings = &dead->rings, .sites = sites, .site_count = (uint32_t)copy->site_count,
                                         .opens = dead->opens, .open_count = dead->open_count };
    prof_status status = sites != NULL ? profi_events_make(&source, events, err)
                                       : profi_fail(err, PROF_E_NO_MEMORY, "no memory for the event stream");
    free(sites);
    return status;
}

int profi_events_is_tape(const unsigned char *data, size_t bytes)
{
    return profi_tape_is(data, bytes);
}

/* Texts that go with what was read become the events' own; 0 when memory is spent. */
static int keep_texts(profi_events *events)
{
    int ok = 1;
    for (uint32_t i = 0; i < events->site_count && ok; i++) {
        profi_events_site *site = &events->sites[i];
        site->name = profi_texts_add(&events->texts, site->name, strlen(site->name));
        if (site->file != NULL)
            ok = (site->file = profi_texts_add(&events->texts, site->file, strlen(site->file))) != NULL;
        ok = ok && site->name != NULL;
    }
    const char *source = events->scale.source;
    events->scale.source = ok ? profi_texts_add(&events->texts, source, strlen(source)) : NULL;
    return events->scale.source != NULL;
}

prof_status profi_events_of_tape(profi_stream *stream, const char *what, profi_events **events, prof_error *err)
{
    profi_dead streamed;
    profi_events *made = NULL;
    prof_status status = profi_tape_read(stream, UINT64_MAX, what, &streamed, err);
    if (status != PROF_OK)
        return status;
    status = profi_events_of_dead(&streamed, &made, err);
    if (status == PROF_OK && !keep_texts(made))
        status = profi_fail(err, PROF_E_NO_MEMORY, "no memory for what %.300s holds", what);
    if (status == PROF_OK) {
        made->notes = (profi_events_notes){ .producer = "profcore", .torn_bytes = streamed.torn_bytes,
                                            .not_understood = streamed.damage_count, .has_no_end = streamed.has_no_end };
        *events = made;
    } else {
        profi_events_close(made);
    }
    profi_dead_fini(&streamed);
    return status;
}

void profi_events_close(profi_events *events)
{
    if (events == NULL)
        return;
    free((char *)events->run_name);
    free(events->processes);
    free(events->sites);
    free(events->threads);
    free(events->lanes);
    profi_spool_fini(&events->cell_spool);
    profi_spool_fini(&events->depth_spool);
    profi_spool_fini(&events->extra_spool);
    profi_spool_fini(&events->detail_spool);
    free(events->requests);
    profi_texts_fini(&events->texts);
    free(events);
}

static profi_slice_kind kind_of(const prof_inline_cell *cell)
{
    switch (profi_event_kind(cell->what)) {
    case PROFI_EVENT_INSTANT: return PROFI_SLICE_INSTANT;
    case PROFI_EVENT_COUNTER: return PROFI_SLICE_COUNTER;
    case PROFI_EVENT_SPAN: return PROFI_SLICE_SPAN;
    default: return PROFI_SLICE_SCOPE;
    }
}

static profi_slice slice_of(const profi_events *events, uint64_t index)
{
    const prof_inline_cell *cell = &events->cells[index];
    profi_slice slice = { .kind = kind_of(cell), .site = profi_event_site(cell->what), .depth = events->depths[index],
                          .end_ns = cell->end != PROFI_STILL_OPEN ? profi_clock_at(&events->scale, cell->end) : PROFI_STILL_OPEN };
    if (slice.kind == PROFI_SLICE_COUNTER) {
        slice.value = profi_bits_double(cell->start);
        slice.start_ns = slice.end_ns;
    } else {
        slice.start_ns = profi_clock_at(&events->scale, cell->start);
    }
    if (events->extras != NULL) {
        const profi_extra *extra = &events->extras[index];
        slice.details = extra->detail_count ? events->details + extra->first_detail : NULL;
        slice.detail_count = extra->detail_count;
        slice.request = extra->request ? &events->requests[extra->request - 1] : NULL;
    }
    return slice;
}

size_t profi_events_read(const profi_events *events, uint64_t first, uint64_t count, uint64_t from, profi_slice *slices,
                         size_t room)
{
    size_t stored = 0;
    for (; stored < room && from < count; stored++, from++)
        slices[stored] = slice_of(events, first + from);
    return stored;
}
