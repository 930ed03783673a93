/* SPDX-License-Identifier: Apache-2.0 */
/* The public functions that walk a snapshot.  They check, look up, and never change it. */
#include "snapshot.h"
#include "slowest.h"

#include "../base/error.h"
#include "../base/system.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The structs as of version 0.1: no caller's is smaller. */
enum { FUNCTION_SIZE_0 = 120, STATS_SIZE_0 = 56, ABOUT_SIZE_0 = 128 };

prof_status profi_snapshot_check(const prof_snapshot *snapshot, uint32_t function, prof_error *err)
{
    if (snapshot == NULL)
        return profi_fail(err, PROF_E_INVALID, "the snapshot is NULL");
    if (function >= snapshot->function_count)
        return profi_fail(err, PROF_E_INVALID, "there is no function %u: the snapshot has %u", (unsigned)function,
                          (unsigned)snapshot->function_count);
    return PROF_OK;
}

void prof_snapshot_close(prof_snapshot *snapshot)
{
    PROFI_NO_CANCELLATION;
    if (snapshot == NULL)
        return;
    for (uint32_t i = 0; i < snapshot->function_count; i++) {
        free(snapshot->functions[i].histogram);
        free(snapshot->functions[i].measures);
        free(snapshot->functions[i].gpu);
    }
    for (uint32_t i = 0; i < snapshot->span_count; i++)
        free(snapshot->spans[i].histogram);
    free(snapshot->spans);
    profi_texts_fini(&snapshot->texts);
    free(snapshot->counters);
    free(snapshot->memories);
    free(snapshot->gpu);
    free(snapshot->utilization.rows);
    free(snapshot->places);
    free(snapshot->pools);
    free(snapshot->measures);
    free(snapshot->functions);
    free(snapshot->edges);
    free(snapshot->callees);
    free(snapshot->paths);
    free(snapshot->path_works);
    free(snapshot->path_table);
    free(snapshot->threads);
    free(snapshot->processes);
    profi_slowest_close(snapshot->slowest);
    free(snapshot);
}

uint64_t profi_function_interval(const profi_function *function)
{
    double half = 1.96 * sqrt(function->variance_ns2);
    return half < 1.8e19 ? (uint64_t)(half + 0.5) : UINT64_MAX;
}

uint32_t prof_snapshot_function_count(const prof_snapshot *snapshot)
{
    return snapshot != NULL ? snapshot->function_count : 0;
}

static prof_function row_of(const profi_function *function, uint32_t id)
{
    prof_function row = PROF_FUNCTION_INIT;
    row.id = id;
    row.name = function->name;
    row.file = function->file;
    row.line = function->line;
    return row;
}

prof_status prof_snapshot_function(const prof_snapshot *snapshot, uint32_t function, prof_function *row,
                                   prof_error *err)
{
    prof_status status = profi_snapshot_check(snapshot, function, err);
    if (status != PROF_OK)
        return status;
    const profi_function *from = &snapshot->functions[function];
    const profi_measure *rss = profi_function_measure_named(snapshot, from, "rss");
    prof_function full = row_of(from, function);
    full.calls = from->calls;
    full.primitive_calls = from->primitive_calls;
    full.open_calls = from->open_calls;
    full.self_ns = from->self_ns;
    full.cumulative_ns = from->cumulative_ns;
    full.timed_calls = from->timed_calls;
    if (from->estimated_calls != 0) {
        full.has |= PROF_FUNCTION_IS_ESTIMATE;
        full.interval_ns = profi_function_interval(from);
    }
    if (profi_function_has_extremes(from)) {
        full.has |= PROF_FUNCTION_HAS_EXTREMES;
        full.min_ns = from->min_ns;
        full.max_ns = from->max_ns;
    }
    if (from->no_extras == NULL && (from->items != 0 || from->unit != NULL)) {
        full.has |= PROF_FUNCTION_HAS_ITEMS;
        full.items = from->items;
        full.items_unit = from->unit != NULL ? from->unit : "items";
    }
    if (rss != NULL && rss->call_count != 0) {
        full.has |= PROF_FUNCTION_HAS_RSS | (rss->is_bound ? PROF_FUNCTION_RSS_IS_BOUND : 0u);
        full.rss_growth_bytes = rss->sum;
        full.rss_peak_bytes = rss->top;
    }
    if (from->histogram != NULL)
        full.has |= PROF_FUNCTION_HAS_HISTOGRAM;
    return profi_struct_write(row, &full, sizeof(full), FUNCTION_SIZE_0, "prof_function", err);
}

prof_status prof_snapshot_about(const prof_snapshot *snapshot, prof_about *about, prof_error *err)
{
    prof_about full = PROF_ABOUT_INIT;
    if (snapshot == NULL)
        return profi_fail(err, PROF_E_INVALID, "the snapshot is NULL");
    const profi_about *from = &snapshot->about;
    full.has = from->has | (snapshot->path_count != 0 ? PROF_ABOUT_HAS_PATHS : 0u);
    full.name = snapshot->run_name;
    full.root = snapshot->root;
    full.host = from->has & PROF_ABOUT_HAS_HOST ? from->host : NULL;
    full.clock_source = from->clock_source[0] != '\0' ? from->clock_source : NULL;
    full.pid = from->pid;
    full.process_count = snapshot->process_count != 0 ? snapshot->process_count : 1;
    full.taken_unix_s = from->taken_unix_s;
    full.recorded_ns = from->recorded_ns;
    full.clock_hz = from->clock_hz;
    full.scope_cost_ps = from->scope_cost_ps;
    full.probe_ns = from->gauge_ns;
    full.lost_count = snapshot->stats.lost_count;
    full.rss_bytes = from->rss_bytes;
    full.rss_peak_bytes = from->rss_peak_bytes;
    full.rss_start_bytes = from->rss_start_bytes;
    return profi_struct_write(about, &full, sizeof(full), ABOUT_SIZE_0, "prof_about", err);
}

prof_status prof_snapshot_find(const prof_snapshot *snapshot, const char *name, uint32_t *function, prof_error *err)
{
    if (snapshot == NULL || name == NULL || function == NULL)
        return profi_fail(err, PROF_E_INVALID, "prof_snapshot_find: an argument is NULL");
    for (uint32_t i = 0; i < snapshot->function_count; i++)
        if (strcmp(snapshot->functions[i].name, name) == 0) {
            *function = i;
            return PROF_OK;
        }
    return profi_fail(err, PROF_E_NOT_FOUND, "no function \"%.200s\" was recorded", name);
}

uint32_t prof_snapshot_caller_count(const prof_snapshot *snapshot, uint32_t function)
{
    return snapshot != NULL && function < snapshot->function_count ? snapshot->functions[function].edge_count : 0;
}

/* An edge's figures under the name of one of its ends. */
static prof_status put_edge(prof_function *row, const prof_snapshot *snapshot, const profi_edge *edge, uint32_t end,
                            prof_error *err)
{
    prof_function full = row_of(&snapshot->functions[end], end);
    full.calls = edge->calls;
    full.primitive_calls = edge->primitive_calls;
    full.self_ns = edge->self_ns;
    full.cumulative_ns = edge->cumulative_ns;
    return profi_struct_write(row, &full, sizeof(full), FUNCTION_SIZE_0, "prof_function", err);
}

prof_status prof_snapshot_caller(const prof_snapshot *snapshot, uint32_t function, uint32_t index, prof_function *row,
                                 prof_error *err)
{
    prof_status status = profi_snapshot_check(snapshot, function, err);
    if (status != PROF_OK)
        return status;
    const profi_function *callee = &snapshot->functions[function];
    if (index >= callee->edge_count)
        return profi_fail(err, PROF_E_INVALID, "there is no caller %u: \"%.80s\" has %u", (unsigned)index,
                          callee->name, (unsigned)callee->edge_count);
    const profi_edge *edge = &snapshot->edges[callee->first_edge + index];
    return put_edge(row, snapshot, edge, edge->caller, err);
}

uint32_t prof_snapshot_callee_count(const prof_snapshot *snapshot, uint32_t function)
{
    return snapshot != NULL && function < snapshot->function_count ? snapshot->functions[function].callee_count : 0;
}

prof_status prof_snapshot_callee(const prof_snapshot *snapshot, uint32_t function, uint32_t index, prof_function *row,
                                 prof_error *err)
{
    prof_status status = profi_snapshot_check(snapshot, function, err);
    if (status != PROF_OK)
        return status;
    const profi_function *caller = &snapshot->functions[function];
    if (index >= caller->callee_count)
        return profi_fail(err, PROF_E_INVALID, "there is no callee %u: \"%.80s\" has %u", (unsigned)index,
                          caller->name, (unsigned)caller->callee_count);
    const profi_edge *edge = &snapshot->edges[snapshot->callees[caller->first_callee + index]];
    return put_edge(row, snapshot, edge, edge->callee, err);
}

prof_status profi_function_percentile(const profi_function *function, double share, uint64_t *ns, prof_error *err)
{
    enum { CALLS_ABOVE = 10 };
    if (function->histogram == NULL)
        return profi_fail(err, PROF_E_UNAVAILABLE, "no percentiles of \"%.80s\": %s", function->name,
                          function->no_histogram);
    uint64_t count = 0, below = 0;
    if (function->calls == function->open_calls)
        return profi_fail(err, PROF_E_UNAVAILABLE, "no percentiles of \"%.80s\": no call has ended", function->name);
    for (unsigned i = 0; i < PROFI_BUCKET_COUNT; i++)
        count += function->histogram[i];
    /* Of 1,000 calls, (1 - 0.99) × 1,000 is 10 only up to rounding. */
    if ((double)count * (1.0 - share) < CALLS_ABOVE - 1e-6)
        return profi_fail(err, PROF_E_UNAVAILABLE, "p%g of \"%.80s\" needs %.0f calls; %llu have ended", share * 100.0,
                          function->name, ceil(CALLS_ABOVE / (1.0 - share) - 1e-6), (unsigned long long)count);
    uint64_t rank = (uint64_t)ceil((double)count * share - 1e-6);
    unsigned index = 0;
    while (index < PROFI_BUCKET_COUNT - 1 && below + function->histogram[index] < rank)
        below += function->histogram[index++];
    *ns = profi_bucket_upper(index);
    if (profi_function_has_extremes(function))
        *ns = profi_max_u64(function->min_ns, profi_min_u64(function->max_ns, *ns));
    return PROF_OK;
}

prof_status profi_row_percentile(const profi_function *row, double share, uint64_t *ns, prof_error *err)
{
    if (ns == NULL || !(share > 0.0 && share < 1.0))
        return profi_fail(err, PROF_E_INVALID, "a percentile: %s",
                          ns == NULL ? "ns is NULL" : "share must lie between 0 and 1");
    return profi_function_percentile(row, share, ns, err);
}

prof_status profi_row_histogram(const profi_function *row, uint64_t counts[PROF_BUCKET_COUNT], prof_error *err)
{
    if (counts == NULL)
        return profi_fail(err, PROF_E_INVALID, "a histogram: counts is NULL");
    if (row->histogram == NULL)
        return profi_fail(err, PROF_E_UNAVAILABLE, "no histogram of \"%.80s\": %s", row->name, row->no_histogram);
    _Static_assert(PROF_BUCKET_COUNT == PROFI_BUCKET_COUNT, "the public grid is the one grid");
    memcpy(counts, row->histogram, PROFI_BUCKET_COUNT * sizeof(*counts));
    return PROF_OK;
}

prof_status prof_snapshot_percentile(const prof_snapshot *snapshot, uint32_t function, double share, uint64_t *ns,
                                     prof_error *err)
{
    prof_status status = profi_snapshot_check(snapshot, function, err);
    return status == PROF_OK ? profi_row_percentile(&snapshot->functions[function], share, ns, err) : status;
}

prof_status prof_snapshot_histogram(const prof_snapshot *snapshot, uint32_t function,
                                    uint64_t counts[PROF_BUCKET_COUNT], prof_error *err)
{
    prof_status status = profi_snapshot_check(snapshot, function, err);
    return status == PROF_OK ? profi_row_histogram(&snapshot->functions[function], counts, err) : status;
}

uint64_t prof_bucket_upper_ns(uint32_t index)
{
    return index >= PROFI_BUCKET_FIRST && index < PROFI_BUCKET_COUNT ? profi_bucket_upper(index) : 0;
}

prof_status prof_snapshot_stats(const prof_snapshot *snapshot, prof_stats *stats, prof_error *err)
{
    if (snapshot == NULL)
        return profi_fail(err, PROF_E_INVALID, "the snapshot is NULL");
    return profi_struct_write(stats, &snapshot->stats, sizeof(snapshot->stats), STATS_SIZE_0, "prof_stats", err);
}
