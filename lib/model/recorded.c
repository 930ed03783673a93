/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A snapshot of what this process recorded: record/'s copy, converted to
 * nanoseconds and merged over threads.  The one file of model/ that knows
 * record/.
 */
#include "snapshot.h"

#include "../base/clock.h"
#include "../base/error.h"
#include "../base/text.h"
#include "../record/record.h"

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

static int name_functions(prof_snapshot *snapshot, const profi_record_copy *copy, const uint32_t *function_of_site)
{
    for (size_t i = 0; i < copy->site_count; i++) {
        if (function_of_site[i] == PROFI_NONE)
            continue;
        const profi_site_view *site = &copy->sites[i];
        profi_function *function = &snapshot->functions[function_of_site[i]];
        function->line = site->line;
        function->flags = site->flags;
        function->name = strdup(site->name);
        function->file = site->file ? strdup(site->file) : NULL;
        function->unit = site->unit ? strdup(site->unit) : NULL;
        if (function->name == NULL || (site->file && !function->file) || (site->unit && !function->unit))
            return 0;
    }
    return 1;
}

/*
 * The total of a sampled node.  Of its calls the first PROFI_SAMPLE_WARM were
 * all timed; the others' sum is estimated by their number times the mean of
 * those that were timed, drawn without replacement, with the variance of that.
 */
static void estimate(profi_path *path, const profi_node_copy *node, const profi_clock_scale *scale, uint64_t so_far)
{
    double timed = (double)node->sampled_calls, ns_per_tick = (double)scale->ns / (double)scale->ticks;
    uint64_t first = profi_min_u64(node->calls, node->first_calls), later = node->calls - first;
    path->timed_calls = first + node->sampled_calls;
    path->estimated_calls = later - profi_min_u64(later, node->sampled_calls);
    if (path->estimated_calls == 0 || path->timed_calls == 0)
        return;
    double total = (double)node->total + (double)so_far;
    if (node->sampled_calls == 0) { /* no more to go by than the first calls */
        path->total_ns = (uint64_t)(total / (double)first * (double)node->calls * ns_per_tick);
        path->variance_ns2 = INFINITY;
        return;
    }
    double mean = (double)node->sampled_total / timed;
    total += mean * (double)path->estimated_calls;
    path->total_ns = (uint64_t)(total * ns_per_tick);
    double spread = timed > 1 ? (node->sampled_squares - timed * mean * mean) / (timed - 1) : INFINITY;
    double variance = (double)later * (double)later * (1 - timed / (double)later) * fmax(spread, 0) / timed;
    path->variance_ns2 = variance * ns_per_tick * ns_per_tick;
}

static profi_path convert_node(const profi_node_copy *node, const profi_clock_scale *scale, uint64_t now)
{
    uint64_t so_far = node->is_open && now > node->open_start ? now - node->open_start : 0;
    profi_path path = { .calls = node->calls + node->is_open, .open_calls = node->is_open,
                        .total_ns = profi_clock_to_ns(scale, node->total + so_far), .items = node->items,
                        .min_ns = UINT64_MAX, .has_gauges = node->has_gauges };
    path.timed_calls = node->calls;
    if (node->is_sampled)
        estimate(&path, node, scale, so_far);
    if (path.timed_calls != 0) {
        path.min_ns = profi_clock_to_ns(scale, node->min);
        path.max_ns = profi_clock_to_ns(scale, node->max);
    }
    memcpy(path.gauges, node->gauges, sizeof(path.gauges));
    return path;
}

static int merge_nodes(prof_snapshot *snapshot, const profi_record_copy *copy, const uint32_t *function_of_site,
                       const profi_clock_scale *scale)
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
        profi_path_add(&snapshot->paths[path_of_node[i]], &path);
        if (!node->has_histogram && node->calls != 0)
            snapshot->functions[function].no_histogram = "the memory for histograms is spent";
    }
    free(path_of_node);
    return ok;
}

/* A bucket of ticks goes where its upper edge lies on the grid of nanoseconds. */
static int convert_histograms(prof_snapshot *snapshot, const profi_record_copy *copy, const uint32_t *function_of_site,
                              const profi_clock_scale *scale)
{
    for (size_t i = 0; i < copy->bucket_count; i++) {
        const profi_bucket_copy *bucket = &copy->buckets[i];
        uint32_t number = function_of_site[bucket->site];
        if (number == PROFI_NONE)
            continue;
        profi_function *function = &snapshot->functions[number];
        if (function->no_histogram != NULL)
            continue;
        if (!profi_function_make_histogram(function))
            return 0;
        uint64_t upper = profi_clock_to_ns(scale, profi_bucket_upper(bucket->index));
        function->histogram[profi_bucket_of(profi_min_u64(upper, UINT64_MAX - 16))] += bucket->count;
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
        snprintf(info->name, sizeof(info->name), "%.63s", clean); /* 15 bytes, at most 4 each when cleaned */
    }
    return 1;
}

static int describe_run(prof_snapshot *snapshot, const profi_run_facts *facts, const profi_record_copy *copy,
                        const profi_clock_scale *scale)
{
    char host[128] = "", clean[PROFI_TEXT_MAX];
    gethostname(host, sizeof(host) - 1);
    profi_text_clean(clean, host, strlen(host));
    snprintf(snapshot->about.host, sizeof(snapshot->about.host), "%.255s", clean);
    snapshot->about.pid = getpid();
    snapshot->about.taken_unix_s = (uint64_t)time(NULL);
    snapshot->about.recorded_ns = profi_clock_to_ns(scale, copy->now - facts->start_tick);
    snapshot->about.clock_source = scale->source;
    snapshot->about.clock_hz = scale->hz;
    snapshot->about.clock_is_steady = scale->steady;
    snapshot->about.scope_cost_ns = facts->scope_cost_ticks * (double)scale->ns / (double)scale->ticks;
    snapshot->about.backward_count = copy->backward;
    snapshot->about.gauge_ns = profi_clock_to_ns(scale, copy->gauge_ticks);
    snapshot->stats = copy->stats;
    snapshot->run_name = strdup(facts->name);
    const profi_probe *rss = &profi_probe_table[PROFI_PROBE_RSS];
    profi_reading reading;
    if (rss->read != NULL && rss->read(&reading)) {
        snapshot->about.has_rss = 1;
        snapshot->about.rss_bytes = reading.value;
        snapshot->about.rss_peak_bytes = reading.high_water;
        snapshot->about.rss_start_bytes = facts->rss_start_bytes;
    }
    return snapshot->run_name != NULL;
}

static prof_snapshot *convert(const profi_record_copy *copy, const profi_run_facts *facts)
{
    profi_clock_scale scale = profi_clock_scale_now();
    uint32_t *function_of_site = calloc(copy->site_count + 1, sizeof(*function_of_site));
    if (function_of_site == NULL)
        return NULL;
    prof_snapshot *snapshot = profi_snapshot_new(number_functions(copy, function_of_site));
    int ok = snapshot != NULL && name_functions(snapshot, copy, function_of_site) &&
             merge_nodes(snapshot, copy, function_of_site, &scale) &&
             convert_histograms(snapshot, copy, function_of_site, &scale) && convert_threads(snapshot, copy) &&
             describe_run(snapshot, facts, copy, &scale) && profi_snapshot_finish(snapshot);
    free(function_of_site);
    if (ok)
        return snapshot;
    prof_snapshot_close(snapshot);
    return NULL;
}

prof_status profi_snapshot_take(const profi_run_facts *facts, prof_snapshot **snapshot, prof_error *err)
{
    profi_record_copy copy;
    prof_status status = profi_record_take(&copy, err);
    if (status != PROF_OK)
        return status;
    prof_snapshot *made = convert(&copy, facts);
    if (made == NULL)
        status = profi_fail(err, PROF_E_NO_MEMORY, "no memory for a snapshot of %zu call tree nodes", copy.node_count);
    else
        *snapshot = made;
    profi_record_copy_fini(&copy);
    return status;
}
