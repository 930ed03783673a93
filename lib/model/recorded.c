/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A snapshot of what this process recorded: record/'s copy, converted to
 * nanoseconds and merged over threads.  With its part for spans, the one file
 * of model/ that knows record/.
 */
#include "recorded.h"

#include "gpu.h"
#include "memory.h"
#include "pools.h"

#include "../base/error.h"
#include "../base/text.h"
#include "../gpu/session.h"
#include "../probe/probes.h"
#include "../record/dead.h"
#include "../record/kept.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Gives a dense number to each site that has a node, in order of first use. */
static uint32_t number_functions(const profi_record_copy *copy, uint32_t *function_of_site)
{
    uint32_t count = 0;
    for (size_t i = 0; i < copy->site_count; i++)
        function_of_site[i] = PROFI_NONE;
    for (size_t i = 0; i < copy->node_count; i++)
        function_of_site[copy->nodes[i].site] = 0;
    for (size_t i = 0; i < copy->site_count; i++)
        if (function_of_site[i] != PROFI_NONE)
            function_of_site[i] = count++;
    return count;
}

/* A row of the probe table as the snapshot tells of it. */
static int describe_probe(prof_snapshot *snapshot, const profi_probe *row, profi_probe_info *info)
{
    char why[128], reason[160];
    int error = PROFI_GET(row->error), ok = 1;
    const char *text = PROFI_GET(row->reason);
    if (text == NULL && error != 0) {
        snprintf(reason, sizeof(reason), "its read function failed: %s", strerror_r(error, why, sizeof(why)));
        text = reason;
    }
    const profi_probe_info found = { row->name, row->unit, PROFI_GET(row->of), text, row->is_gauge, 0 };
    *info = profi_snapshot_copy_probe(snapshot, &found, &ok);
    return ok;
}

/* Numbers the probes that any function asked for, in the order of their rows; `rows` receives these as bits. */
static int number_probes(prof_snapshot *snapshot, const profi_record_copy *copy, const uint32_t *function_of_site,
                         uint64_t *rows)
{
    uint64_t asked = 0;
    *rows = 0;
    for (size_t i = 0; i < copy->site_count; i++)
        if (function_of_site[i] != PROFI_NONE)
            asked |= copy->sites[i].probes;
    for (unsigned row = 0; row < PROFI_PROBE_MAX; row++) {
        const profi_probe *probe = asked >> row & 1 ? profi_probe_row(row) : NULL;
        if (probe == NULL) /* also a bit of the program's whose probe was not added */
            continue;
        if (!describe_probe(snapshot, probe, &snapshot->probes[snapshot->probe_count++]))
            return 0;
        *rows |= (uint64_t)1 << row;
    }
    return 1;
}

/* Rows as the snapshot's numbers. */
static uint64_t number_rows(uint64_t probes, uint64_t rows)
{
    uint64_t numbers = 0;
    for (uint64_t left = probes & rows; left != 0; left &= left - 1)
        numbers |= (uint64_t)1 << profi_measure_place(rows, (unsigned)__builtin_ctzll(left));
    return numbers;
}

/* What a node measured, without the places of probes that do not exist. */
static void pick_measures(const profi_measure *from, uint64_t probes, uint64_t rows, profi_measure *picked)
{
    for (uint64_t left = probes; left != 0; left &= left - 1, from++)
        if (rows & left & -left)
            *picked++ = *from;
}

static int name_functions(prof_snapshot *snapshot, const profi_record_copy *copy, const uint32_t *function_of_site,
                          uint64_t rows, uint64_t levels)
{
    int ok = 1;
    for (size_t i = 0; i < copy->site_count; i++) {
        if (function_of_site[i] == PROFI_NONE)
            continue;
        const profi_site_view *site = &copy->sites[i];
        profi_function *function = &snapshot->functions[function_of_site[i]];
        function->line = site->line;
        function->flags = site->flags;
        function->probes = number_rows(site->probes, rows) | (site->flags & PROF_SITE_POOLS ? levels : 0);
        function->name = profi_snapshot_text(snapshot, site->name, &ok);
        function->file = profi_snapshot_text(snapshot, site->file, &ok);
        function->unit = profi_snapshot_text(snapshot, site->unit, &ok);
        if (!ok)
            return 0;
    }
    return 1;
}

/*
 * The total of a sampled node.  Of its calls the first PROFI_SAMPLE_WARM were
 * all timed; the others' sum is estimated by their number times the mean of
 * those that were timed, drawn without replacement, with the variance of that.
 * The time so far of an open call stands for no other call: it is added as it is.
 */
static void estimate(profi_path *path, const profi_node_copy *node, const profi_clock_scale *scale)
{
    double timed = (double)node->sampled_calls, ns_per_tick = (double)scale->ns / (double)scale->ticks;
    uint64_t first = profi_min_u64(node->calls, node->first_calls), later = node->calls - first;
    path->timed_calls = first + node->sampled_calls;
    path->estimated_calls = later - profi_min_u64(later, node->sampled_calls);
    if (path->estimated_calls == 0 || path->timed_calls == 0)
        return;
    double total = (double)node->total;
    if (node->sampled_calls == 0) { /* no more to go by than the first calls */
        path->total_ns = (uint64_t)(total / (double)first * (double)node->calls * ns_per_tick) + path->open_ns;
        path->variance_ns2 = INFINITY;
        return;
    }
    double mean = (double)node->sampled_total / timed;
    total += mean * (double)path->estimated_calls;
    path->total_ns = (uint64_t)(total * ns_per_tick) + path->open_ns;
    double spread = timed > 1 ? (node->sampled_squares - timed * mean * mean) / (timed - 1) : INFINITY;
    double variance = (double)later * (double)later * (1 - timed / (double)later) * fmax(spread, 0) / timed;
    path->variance_ns2 = variance * ns_per_tick * ns_per_tick;
}

static profi_path convert_node(const profi_node_copy *node, const profi_clock_scale *scale, uint64_t now)
{
    uint64_t so_far = node->is_open && now > node->open_start ? now - node->open_start : 0;
    profi_path path = { .calls = node->calls + node->is_open, .open_calls = node->is_open,
                        .total_ns = profi_clock_to_ns(scale, node->total + so_far),
                        .open_ns = profi_clock_to_ns(scale, so_far), .items = node->items, .min_ns = UINT64_MAX };
    path.timed_calls = node->calls;
    if (node->is_sampled)
        estimate(&path, node, scale);
    if (node->is_estimate) {
        path.timed_calls = 0;
        path.estimated_calls = node->calls;
        path.variance_ns2 = INFINITY;
    }
    if (node->min <= node->max) { /* else no call has ended, or they are not known */
        path.min_ns = profi_clock_to_ns(scale, node->min);
        path.max_ns = profi_clock_to_ns(scale, node->max);
    }
    return path;
}

static int merge_nodes(prof_snapshot *snapshot, const profi_record_copy *copy, const uint32_t *function_of_site,
                       uint64_t rows, const profi_clock_scale *scale)
{
    uint32_t *path_of_node = calloc(copy->node_count + 1, sizeof(*path_of_node));
    int ok = path_of_node != NULL;
    for (size_t i = 0; ok && i < copy->node_count; i++) {
        const profi_node_copy *node = &copy->nodes[i];
        uint32_t parent = node->parent == PROFI_NO_PARENT ? PROFI_NONE : path_of_node[node->parent];
        uint32_t function = function_of_site[node->site];
        path_of_node[i] = profi_snapshot_path(snapshot, parent, function);
        ok = path_of_node[i] != PROFI_NONE;
        if (!ok)
            break;
        profi_path path = convert_node(node, scale, copy->now);
        profi_measure measures[PROFI_SNAPSHOT_PROBES] = { { .call_count = 0 } }; /* levels stand behind, and are added later */
        pick_measures(copy->measures + node->first_measure, copy->sites[node->site].probes, rows, measures);
        profi_path_add(snapshot, path_of_node[i], &path, measures);
        if (!node->has_histogram && node->calls != 0)
            snapshot->functions[function].no_histogram = PROFI_HISTOGRAMS_SPENT;
    }
    free(path_of_node);
    return ok;
}

int profi_recorded_bucket(profi_function *row, const profi_bucket_copy *bucket, const profi_clock_scale *scale)
{
    if (!profi_function_make_histogram(row))
        return 0;
    uint64_t upper = profi_clock_to_ns(scale, profi_bucket_upper(bucket->index));
    row->histogram[profi_bucket_of(profi_min_u64(upper, UINT64_MAX - 16))] += bucket->count;
    return 1;
}

static int convert_histograms(prof_snapshot *snapshot, const profi_record_copy *copy, const uint32_t *function_of_site,
                              const profi_clock_scale *scale)
{
    for (size_t i = 0; i < copy->bucket_count; i++) {
        const profi_bucket_copy *bucket = &copy->buckets[i];
        uint32_t number = function_of_site[bucket->site];
        if (number == PROFI_NONE || bucket->is_of_spans)
            continue;
        profi_function *function = &snapshot->functions[number];
        if (function->no_histogram == NULL && !profi_recorded_bucket(function, bucket, scale))
            return 0;
    }
    for (uint32_t i = 0; i < snapshot->function_count; i++)
        if (snapshot->functions[i].histogram == NULL && snapshot->functions[i].no_histogram == NULL)
            snapshot->functions[i].no_histogram = "no call has ended";
    return 1;
}

static int convert_threads(prof_snapshot *snapshot, const profi_record_copy *copy)
{
    snapshot->threads = calloc(copy->thread_count + 1, sizeof(*snapshot->threads));
    if (snapshot->threads == NULL)
        return 0;
    snapshot->thread_count = (uint32_t)copy->thread_count;
    for (size_t i = 0; i < copy->thread_count; i++) {
        const profi_thread_copy *thread = &copy->threads[i];
        profi_thread_info *info = &snapshot->threads[i];
        char clean[PROFI_TEXT_MAX];
        *info = (profi_thread_info){ .tid = thread->tid, .exited = thread->exited, .calls = thread->calls,
                                     .lost = thread->lost, .repaired = thread->repaired,
                                     .unmatched = thread->unmatched };
        profi_text_clean(clean, thread->name, strlen(thread->name));
        profi_text_cut(info->name, sizeof(info->name), clean); /* 15 bytes, at most 4 each when cleaned */
    }
    return 1;
}

static int describe_run(prof_snapshot *snapshot, const profi_run_facts *facts, const profi_record_copy *copy,
                        const profi_clock_scale *scale)
{
    char host[128] = "", clean[PROFI_TEXT_MAX];
    int ok = 1;
    profi_about *about = &snapshot->about;
    about->has = PROF_ABOUT_HAS_PID | PROF_ABOUT_HAS_TIME | PROF_ABOUT_HAS_DURATION | PROF_ABOUT_HAS_CLOCK |
                 PROF_ABOUT_HAS_COST | PROF_ABOUT_HAS_COUNTS | PROF_ABOUT_HAS_THREADS | PROF_ABOUT_HAS_EVENTS |
                 (scale->steady ? PROF_ABOUT_CLOCK_IS_STEADY : 0u);
    if (gethostname(host, sizeof(host) - 1) == 0 && host[0] != '\0') {
        profi_text_clean(clean, host, strlen(host));
        profi_text_cut(about->host, sizeof(about->host), clean);
        about->has |= PROF_ABOUT_HAS_HOST;
    }
    about->pid = getpid();
    about->taken_unix_s = (uint64_t)time(NULL);
    about->recorded_ns = profi_clock_to_ns(scale, copy->now - facts->start_tick);
    snprintf(about->clock_source, sizeof(about->clock_source), "%s", scale->source);
    about->clock_hz = scale->hz;
    about->scope_cost_ps =
        (uint64_t)(facts->scope_cost_ticks * 1000.0 * (double)scale->ns / (double)scale->ticks + 0.5);
    about->backward_count = copy->backward;
    about->gauge_ns = profi_clock_to_ns(scale, copy->probe_ticks);
    about->kept_ns = profi_clock_to_ns(scale, copy->kept_ticks);
    about->no_rss = "/proc/self could not be read";
    about->missing = "the system did not say";
    snapshot->stats = copy->stats;
    snapshot->run_name = profi_snapshot_text(snapshot, facts->name, &ok);
    profi_reading reading = { 0, 0, 0 };
    if (profi_rss_read(&reading)) {
        about->has |= PROF_ABOUT_HAS_RSS;
        about->rss_bytes = reading.value;
        if (reading.high_water != 0)
            about->rss_peak_bytes = profi_max_u64(reading.high_water, reading.value); /* the kernel rounds the mark */
        about->rss_start_bytes = facts->rss_start_bytes;
    }
    if (facts->rss_sample_count != 0) {
        about->rss_sample_count = facts->rss_sample_count;
        about->rss_every_ms = facts->rss_every_ms;
        about->rss_mean_bytes = facts->rss_sample_sum / facts->rss_sample_count;
        about->rss_sample_peak_bytes = facts->rss_sample_peak;
    }
    return ok;
}

/* Adds a thread's counter; `last_tick` is that of the value that came last so far. */
static void add_counter(profi_counter_info *into, uint64_t *last_tick, const profi_counter_copy *from)
{
    into->not_finite_count += from->not_finite_count;
    if (from->count == 0)
        return;
    into->min = into->count == 0 || from->min < into->min ? from->min : into->min;
    into->max = into->count == 0 || from->max > into->max ? from->max : into->max;
    if (into->count == 0 || from->last_tick >= *last_tick) {
        into->last = from->last;
        *last_tick = from->last_tick;
    }
    into->count += from->count;
    into->sum += from->sum;
}

/* Counters of one site, of several threads, become one; in order of first use. */
static int merge_counters(prof_snapshot *snapshot, const profi_record_copy *copy)
{
    uint32_t count = 0;
    uint32_t *counter_of_site = calloc(copy->site_count + 1, sizeof(*counter_of_site)); /* number + 1 */
    uint64_t *last_ticks = calloc(copy->counter_count + 1, sizeof(*last_ticks));
    for (size_t i = 0; counter_of_site != NULL && i < copy->counter_count; i++)
        counter_of_site[copy->counters[i].site] = 1;
    for (size_t i = 0; counter_of_site != NULL && i < copy->site_count; i++)
        if (counter_of_site[i] != 0)
            counter_of_site[i] = ++count;
    int ok = counter_of_site != NULL && last_ticks != NULL && profi_snapshot_make_counters(snapshot, count);
    for (size_t i = 0; ok && i < copy->site_count; i++) {
        const profi_site_view *site = &copy->sites[i];
        if (counter_of_site[i] == 0)
            continue;
        profi_counter_info *counter = &snapshot->counters[counter_of_site[i] - 1];
        counter->name = profi_snapshot_text(snapshot, site->name, &ok);
        counter->file = profi_snapshot_text(snapshot, site->file, &ok);
        counter->line = site->line;
    }
    for (size_t i = 0; ok && i < copy->counter_count; i++) {
        uint32_t number = counter_of_site[copy->counters[i].site] - 1;
        add_counter(&snapshot->counters[number], &last_ticks[number], &copy->counters[i]);
    }
    snapshot->lost_values = copy->lost_values;
    free(counter_of_site);
    free(last_ticks);
    return ok;
}

/* `has_rest`: of this process and of all calls, so that GPU work and pools belong to it. */
static prof_snapshot *convert(const profi_record_copy *copy, const profi_run_facts *facts, profi_clock_scale scale, int has_rest)
{
    uint32_t *function_of_site = calloc(copy->site_count + 1, sizeof(*function_of_site));
    if (function_of_site == NULL)
        return NULL;
    prof_snapshot *snapshot = profi_snapshot_new(number_functions(copy, function_of_site));
    uint64_t rows, levels = 0;
    int ok = snapshot != NULL && number_probes(snapshot, copy, function_of_site, &rows) &&
             (!has_rest || profi_recorded_pools_number(snapshot, &levels)) &&
             name_functions(snapshot, copy, function_of_site, rows, levels) &&
             merge_nodes(snapshot, copy, function_of_site, rows, &scale) &&
             (!has_rest || profi_recorded_pools(snapshot, levels, function_of_site, copy->site_count)) &&
             (!has_rest || profi_recorded_gpu(snapshot, function_of_site, copy->site_count)) && merge_counters(snapshot, copy) &&
             profi_recorded_spans(snapshot, copy, &scale) &&
             convert_histograms(snapshot, copy, function_of_site, &scale) && convert_threads(snapshot, copy) &&
             describe_run(snapshot, facts, copy, &scale) && profi_snapshot_finish(snapshot) &&
             (!has_rest || profi_recorded_gpu_bounds(snapshot));
    free(function_of_site);
    if (ok)
        return snapshot;
    prof_snapshot_close(snapshot);
    return NULL;
}

prof_status profi_snapshot_take(const profi_run_facts *facts, prof_snapshot **snapshot, prof_error *err)
{
    profi_record_copy copy;
    profi_recorded_pools_begin();
    prof_status status = profi_record_take(&copy, err);
    if (status != PROF_OK)
        return status;
    prof_snapshot *made = convert(&copy, facts, profi_clock_scale_now(), 1);
    if (made != NULL && (!profi_recorded_memory(made) || !profi_recorded_utilization(made))) {
        prof_snapshot_close(made);
        made = NULL;
    }
    if (made == NULL)
        status = profi_fail(err, PROF_E_NO_MEMORY, "no memory for a snapshot of %zu call tree nodes", copy.node_count);
    else
        *snapshot = made;
    profi_record_copy_fini(&copy);
    return status;
}

/* What a run has and one call has not goes; what only a call has comes. */
static void describe_call(prof_snapshot *snapshot, const profi_kept_facts *facts, const profi_clock_scale *scale)
{
    struct timespec wall;
    clock_gettime(CLOCK_REALTIME, &wall);
    uint64_t ago = profi_clock_to_ns(scale, profi_clock_now() - facts->end);
    uint64_t unix_ns = (uint64_t)wall.tv_sec * 1000000000u + (uint64_t)wall.tv_nsec - ago;
    snapshot->is_call = 1;
    snapshot->call = (profi_call_about){ .duration_ns = profi_clock_to_ns(scale, facts->duration),
                                         .ended_unix_ns = unix_ns, .number = facts->number, .limit_ns = facts->limit_ns,
                                         .every_nth = facts->every_nth, .is_slow = (int)facts->is_slow };
    snapshot->root = snapshot->functions[snapshot->paths[snapshot->first_root].function].name;
    snapshot->about.taken_unix_s = unix_ns / 1000000000u;
    snapshot->about.recorded_ns = snapshot->call.duration_ns;
    snapshot->about.has &= ~PROF_ABOUT_HAS_RSS;
    snapshot->about.no_rss = snapshot->utilization.reason = "a kept call has sums only";
    profi_gpu_note_missing(snapshot, profi_gpu_session_now().has_begun,
                           "it is not told apart by call; the run's timeline has what this one launched");
    for (uint32_t i = 0; i < snapshot->function_count; i++)
        snapshot->functions[i].no_histogram = "a kept call has sums only";
}

prof_status profi_snapshot_of_call(const profi_run_facts *facts, const profi_kept_call *call, prof_snapshot **snapshot,
                                   prof_error *err)
{
    profi_record_copy copy;
    profi_clock_scale scale = profi_clock_scale_now();
    prof_status status = profi_kept_copy(call, &copy, err);
    if (status != PROF_OK)
        return status;
    prof_snapshot *made = convert(&copy, facts, scale, 0);
    if (made != NULL) {
        describe_call(made, profi_kept_facts_of(call), &scale);
        *snapshot = made;
    } else {
        status = profi_fail(err, PROF_E_NO_MEMORY, "no memory for a kept call of %zu paths", copy.node_count);
    }
    profi_record_copy_fini(&copy);
    return status;
}

/* What is known of a process that is no more, from what it wrote down, and nothing of this one. */
static void describe_dead(prof_snapshot *snapshot, const profi_dead *dead)
{
    profi_about *about = &snapshot->about;
    about->pid = dead->pid;
    about->taken_unix_s = dead->last.unix_ns / 1000000000u;
    about->has &= ~(PROF_ABOUT_HAS_RSS | PROF_ABOUT_HAS_HOST);
    about->host[0] = '\0';
    if (dead->host[0] != '\0') {
        profi_text_cut(about->host, sizeof(about->host), dead->host);
        about->has |= PROF_ABOUT_HAS_HOST;
    }
    about->rss_bytes = about->rss_peak_bytes = about->rss_start_bytes = 0;
    about->rss_sample_count = about->rss_every_ms = about->rss_mean_bytes = about->rss_sample_peak_bytes = 0;
    about->no_rss = snapshot->utilization.reason = "recovered from a file, when the process was no more";
    profi_gpu_note_missing(snapshot, 0, "it was not in what the process left; the kernels that had come back are spans");
}

prof_status profi_snapshot_of_dead(const profi_dead *dead, prof_snapshot **snapshot, prof_error *err)
{
    profi_run_facts facts = { .start_tick = profi_min_u64(dead->start_tick, dead->record.now),
                              .scope_cost_ticks = dead->scope_cost_ticks };
    memcpy(facts.name, dead->name, sizeof(facts.name));
    prof_snapshot *made = convert(&dead->record, &facts, dead->scale, 0);
    if (made == NULL)
        return profi_fail(err, PROF_E_NO_MEMORY, "no memory for a snapshot of %zu call tree nodes", dead->record.node_count);
    describe_dead(made, dead);
    *snapshot = made;
    return PROF_OK;
}
