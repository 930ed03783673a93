/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From single events to a table: every scope is added to its call path, as a
 * thread adds it to its node when it ends.
 */
#include "events_snapshot.h"
#include "gpu.h"

#include "../base/array.h"
#include "../base/error.h"
#include "../base/number_map.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH = 256 };

static const char not_said[] = "a timeline does not say";

typedef struct tabling {
    const profi_events *events;
    prof_snapshot *snapshot;
    uint32_t *function_of_site; /* PROFI_NONE: it has no scope */
    uint32_t *paths;            /* by depth: where the thread stands */
    size_t path_room;
    uint64_t total_ns;          /* of all scopes: every other sum is a part of it */
    uint32_t *counter_of_site;  /* number + 1 */
    uint64_t *last_ns;          /* by counter */
    int is_memory_spent, overflow;
    profi_slice batch[BATCH];
} tabling;

typedef void (*slice_visitor)(tabling *t, const profi_slice *slice, profi_thread_info *thread);

static void visit_threads(tabling *t, slice_visitor visit)
{
    for (uint32_t i = 0; i < t->events->thread_count; i++) {
        const profi_events_thread *thread = &t->events->threads[i];
        profi_thread_info *info = t->snapshot != NULL ? &t->snapshot->threads[i] : NULL;
        size_t count;
        for (uint64_t done = 0; !t->is_memory_spent; done += count) {
            count = profi_events_read(t->events, thread->first, thread->count, done, t->batch, BATCH);
            if (count == 0)
                break;
            for (size_t j = 0; j < count && !t->is_memory_spent; j++)
                visit(t, &t->batch[j], info);
        }
    }
}

/* ---- functions ---- */

static void note_function(tabling *t, const profi_slice *slice, profi_thread_info *thread)
{
    (void)thread;
    if (slice->kind == PROFI_SLICE_SCOPE)
        t->function_of_site[slice->site] = 0;
}

/* In the order of the sites, which is that of first use. */
static int make_functions(tabling *t)
{
    const profi_events *events = t->events;
    uint32_t count = 0;
    int ok = 1;
    for (uint32_t i = 0; i < events->site_count; i++)
        t->function_of_site[i] = PROFI_NONE;
    visit_threads(t, note_function);
    for (uint32_t i = 0; i < events->site_count; i++)
        if (t->function_of_site[i] != PROFI_NONE)
            t->function_of_site[i] = count++;
    t->snapshot = profi_snapshot_new(count);
    for (uint32_t i = 0; t->snapshot != NULL && i < events->site_count; i++) {
        if (t->function_of_site[i] == PROFI_NONE)
            continue;
        profi_function *function = &t->snapshot->functions[t->function_of_site[i]];
        function->name = profi_snapshot_text(t->snapshot, events->sites[i].name, &ok);
        function->file = profi_snapshot_text(t->snapshot, events->sites[i].file, &ok);
        function->line = events->sites[i].line;
        function->no_extras = not_said;
    }
    return ok && t->snapshot != NULL;
}

/* ---- calls ---- */

static void add_to_histogram(tabling *t, uint32_t function, uint64_t ns)
{
    profi_function *into = &t->snapshot->functions[function];
    if (!profi_function_make_histogram(into))
        t->is_memory_spent = 1;
    else
        into->histogram[profi_bucket_of(profi_min_u64(ns, UINT64_MAX - 16))]++;
}

static void add_call(tabling *t, const profi_slice *slice, profi_thread_info *thread)
{
    if (!profi_array_grow(&t->paths, &t->path_room, slice->depth, sizeof(*t->paths))) {
        t->is_memory_spent = 1;
        return;
    }
    uint32_t parent = slice->depth != 0 ? t->paths[slice->depth - 1] : PROFI_NONE;
    if (slice->kind != PROFI_SLICE_SCOPE) {
        t->paths[slice->depth] = parent; /* where what it seems to enclose belongs */
        return;
    }
    uint32_t function = t->function_of_site[slice->site], path = profi_snapshot_path(t->snapshot, parent, function);
    if (path == PROFI_NONE) {
        t->is_memory_spent = 1;
        return;
    }
    int is_open = slice->end_ns == PROFI_STILL_OPEN;
    uint64_t end = is_open ? profi_max_u64(t->events->taken.monotonic_ns, slice->start_ns) : slice->end_ns;
    uint64_t ns = end - slice->start_ns;
    profi_path call = { .calls = 1, .open_calls = (uint64_t)is_open, .total_ns = ns, .open_ns = is_open ? ns : 0,
                        .min_ns = is_open ? UINT64_MAX : ns, .max_ns = is_open ? 0 : ns, .timed_calls = !is_open };
    profi_path_add(t->snapshot, path, &call, NULL);
    t->paths[slice->depth] = path;
    t->overflow |= __builtin_add_overflow(t->total_ns, ns, &t->total_ns);
    thread->calls++;
    if (!is_open)
        add_to_histogram(t, function, ns);
}

/* ---- counters ---- */

/* Counters of one name, of several processes, are one. */
static int number_counters(tabling *t)
{
    const profi_events *events = t->events;
    profi_number_map numbers = { 0 };
    uint32_t count = 0;
    int ok = 1;
    for (uint32_t i = 0; i < events->site_count && ok; i++) {
        const profi_events_site *site = &events->sites[i];
        uint64_t file = (uintptr_t)site->file ^ (uint64_t)site->line << 48;
        uint32_t known = site->is_counter ? profi_number_map_find(&numbers, file, (uintptr_t)site->name) : UINT32_MAX;
        if (!site->is_counter)
            continue;
        if (known == UINT32_MAX)
            ok = profi_number_map_put(&numbers, file, (uintptr_t)site->name, known = count++);
        t->counter_of_site[i] = known + 1;
    }
    profi_number_map_fini(&numbers);
    t->last_ns = calloc((size_t)count + 1, sizeof(*t->last_ns));
    ok = ok && t->last_ns != NULL && profi_snapshot_make_counters(t->snapshot, count);
    for (uint32_t i = 0; i < events->site_count && ok; i++) {
        if (t->counter_of_site[i] == 0)
            continue;
        profi_counter_info *counter = &t->snapshot->counters[t->counter_of_site[i] - 1];
        counter->name = profi_snapshot_text(t->snapshot, events->sites[i].name, &ok);
        counter->file = profi_snapshot_text(t->snapshot, events->sites[i].file, &ok);
        counter->line = events->sites[i].line;
    }
    return ok;
}

static void add_value(tabling *t, const profi_slice *slice, profi_thread_info *thread)
{
    (void)thread;
    if (slice->kind != PROFI_SLICE_COUNTER)
        return;
    uint32_t number = t->counter_of_site[slice->site] - 1;
    profi_counter_info *into = &t->snapshot->counters[number];
    if (!isfinite(slice->value)) {
        into->not_finite_count++;
        return;
    }
    into->min = into->count == 0 || slice->value < into->min ? slice->value : into->min;
    into->max = into->count == 0 || slice->value > into->max ? slice->value : into->max;
    if (into->count == 0 || slice->start_ns >= t->last_ns[number]) {
        into->last = slice->value;
        t->last_ns[number] = slice->start_ns;
    }
    into->count++;
    into->sum += slice->value;
}

/* ---- the rest ---- */

static int make_threads(tabling *t)
{
    const profi_events *events = t->events;
    prof_snapshot *snapshot = t->snapshot;
    snapshot->threads = calloc((size_t)events->thread_count + 1, sizeof(*snapshot->threads));
    if (snapshot->threads == NULL)
        return 0;
    snapshot->thread_count = events->thread_count;
    for (uint32_t i = 0; i < events->thread_count; i++) {
        profi_thread_info *info = &snapshot->threads[i];
        info->tid = events->threads[i].tid;
        info->exited = info->tid == 0;
        info->lost = events->threads[i].lost;
        memcpy(info->name, events->threads[i].name, sizeof(info->name));
        snapshot->stats.live_thread_count += !info->exited;
    }
    return 1;
}

static int make_processes(tabling *t)
{
    const profi_events *events = t->events;
    prof_snapshot *snapshot = t->snapshot;
    int ok = 1;
    if (events->process_count < 2)
        return 1;
    snapshot->processes = calloc(events->process_count, sizeof(*snapshot->processes));
    if (snapshot->processes == NULL)
        return 0;
    for (uint32_t i = 0; i < events->process_count && ok; i++)
        snapshot->processes[snapshot->process_count++] =
            (profi_process){ profi_snapshot_text(snapshot, events->processes[i].name, &ok), NULL, events->processes[i].pid };
    return ok;
}

/* Only what lies on a lane is looked at: a thread may have scopes that are called as they are. */
static int has_gpu_work(const profi_events *events)
{
    profi_slice first;
    for (size_t i = 0; i < events->lane_count; i++)
        if (profi_events_read(events, events->lanes[i].first, events->lanes[i].count, 0, &first, 1) == 1 &&
            profi_is_gpu_span(events->sites[first.site].file, events->sites[first.site].line))
            return 1;
    return 0;
}

static int describe(tabling *t)
{
    const profi_events *events = t->events;
    prof_snapshot *snapshot = t->snapshot;
    profi_about *about = &snapshot->about;
    int ok = make_processes(t);
    snapshot->run_name = profi_snapshot_text(snapshot, events->run_name, &ok);
    about->has = PROF_ABOUT_HAS_THREADS | PROF_ABOUT_HAS_EVENTS;
    about->has |= events->process_count == 1 && events->pid != 0 ? PROF_ABOUT_HAS_PID : 0u;
    about->has |= events->taken.unix_ns != 0 ? PROF_ABOUT_HAS_TIME : 0u;
    about->pid = about->has & PROF_ABOUT_HAS_PID ? events->pid : 0;
    about->taken_unix_s = events->taken.unix_ns / 1000000000u;
    about->missing = about->no_rss = snapshot->utilization.reason = not_said;
    profi_gpu_note_missing(snapshot, has_gpu_work(events), "a timeline has the kernels, on tracks of their own");
    snapshot->stats.size = sizeof(snapshot->stats);
    snapshot->stats.thread_count = events->thread_count;
    snapshot->stats.event_count = events->issued;
    snapshot->stats.event_lost_count = events->lost;
    snapshot->stats.lost_count = events->lost; /* a call that the timeline lacks is missing here */
    for (uint32_t i = 0; i < snapshot->function_count; i++)
        if (snapshot->functions[i].histogram == NULL)
            snapshot->functions[i].no_histogram = "no call has ended";
    return ok;
}

static int make(tabling *t)
{
    if (!make_functions(t) || !make_threads(t) || !number_counters(t))
        return 0;
    visit_threads(t, add_call);
    visit_threads(t, add_value);
    return !t->is_memory_spent && describe(t) && profi_snapshot_finish(t->snapshot);
}

prof_status profi_snapshot_of_events(const profi_events *events, const char *what, prof_snapshot **snapshot, prof_error *err)
{
    prof_status status = PROF_OK;
    tabling *t = calloc(1, sizeof(*t));
    int ok = t != NULL && (t->function_of_site = calloc((size_t)events->site_count + 1, sizeof(uint32_t))) != NULL &&
             (t->counter_of_site = calloc((size_t)events->site_count + 1, sizeof(uint32_t))) != NULL;
    if (ok) {
        t->events = events;
        ok = make(t);
    }
    if (!ok)
        status = profi_fail(err, PROF_E_NO_MEMORY, "%.300s: no memory for the table of its events", what);
    else if (t->overflow)
        status = profi_fail(err, PROF_E_LIMIT, "%.300s: the sum of its durations does not fit in 64 bits", what);
    if (status == PROF_OK)
        *snapshot = t->snapshot;
    else if (t != NULL)
        prof_snapshot_close(t->snapshot);
    if (t != NULL) {
        free(t->function_of_site);
        free(t->counter_of_site);
        free(t->last_ns);
        free(t->paths);
    }
    free(t);
    return status;
}
